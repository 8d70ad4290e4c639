package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"parley"
	"parley/internal/config"
	"parley/internal/secret"
	"parley/internal/store"
)

type secretsCmd struct {
	Rotate secretsRotateCmd `cmd:"" help:"Seal everything with a new key, while the server runs."`
}

type secretsRotateCmd struct {
	config.Data `embed:""`
	Prepare     bool `xor:"step" help:"Only add the new key, so that the key ring can be copied to every node first."`
	DropOld     bool `xor:"step" help:"Remove the keys with which nothing is sealed any more."`
}

// Run takes one step of a rotation. What was broken off is finished by the next run.
func (c *secretsRotateCmd) Run(ctx context.Context, s streams) error {
	return withStore(ctx, c.Data, func(st *store.Store) error {
		ring, err := ringOf(ctx, st, c.KeyFile())
		switch {
		case err != nil:
			return err
		case c.Prepare:
			if err = ring.Prepare(); err == nil {
				_, err = fmt.Fprintln(s.out, "A new key is prepared. Copy the key ring to every node, then run parley secrets rotate on one.")
			}
			return err
		case c.DropOld:
			return dropOld(ctx, st, ring, s)
		}
		return rotate(ctx, st, ring, s)
	})
}

// rotate makes a new key unless an earlier rotation is to be finished, and seals everything with the newest one.
func rotate(ctx context.Context, st *store.Store, ring *secret.Ring, s streams) error {
	left, err := countOld(ctx, st, ring)
	if err == nil && left == 0 {
		err = ring.Rotate()
	}
	if err != nil {
		return err
	}
	unreadable := 0
	changed, err := st.Reseal(ctx, func(aad string, sealed []byte) []byte {
		if !ring.Old(sealed) {
			return nil
		}
		plain, err := ring.Open(aad, sealed)
		if err != nil {
			unreadable++
			return nil
		}
		return ring.Seal(aad, plain)
	})
	if err != nil {
		return err
	}
	if unreadable > 0 {
		return fmt.Errorf("%d values were sealed again, but %d do not open: they were altered or copied. Give those credentials again, then run this command again", changed, unreadable)
	}
	_, err = fmt.Fprintf(s.out, "%d values are sealed with the newest key. With several nodes, copy the key ring to each. Two minutes from now, parley secrets rotate --drop-old removes the old keys.\n", changed)
	return err
}

// dropOld removes the keys that are not used any more.
func dropOld(ctx context.Context, st *store.Store, ring *secret.Ring, s streams) error {
	if !ring.HasOld() {
		_, err := fmt.Fprintln(s.out, "There are no old keys.")
		return err
	}
	left, err := countOld(ctx, st, ring)
	if err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d values are still sealed with an old key: run parley secrets rotate first", left)
	}
	if err := ring.DropOld(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "The old keys are gone. With several nodes, copy the key ring to each.")
	return err
}

// countOld counts what is sealed with an old key.
func countOld(ctx context.Context, st *store.Store, ring *secret.Ring) (n int, err error) {
	_, err = st.Reseal(ctx, func(_ string, sealed []byte) []byte {
		if ring.Old(sealed) {
			n++
		}
		return nil
	})
	return n, err
}

// ringOf opens the key ring that a database was used with.
func ringOf(ctx context.Context, st *store.Store, file string) (*secret.Ring, error) {
	known, err := st.FindSetting(ctx, settingRing)
	if parley.IsNotFound(err) {
		return nil, errors.New("this database has no key ring yet: run parley serve once")
	}
	if err != nil {
		return nil, err
	}
	ring, err := secret.OpenRing(file, false)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the key ring %s is missing: name it with PARLEY_SECRET_KEY_FILE", file)
	}
	if err == nil && ring.Fingerprint() != known {
		err = fmt.Errorf("the key ring %s does not belong to this database: name the right one with PARLEY_SECRET_KEY_FILE", file)
	}
	return ring, err
}
