// Package record keeps the sound of calls: two channels of µ-law, the caller left and the agent, as heard, right,
// written to disk while the call goes on, and read again as one WAV file.
//
// A recording is a folder of parts, one for each media stream of its call. Only the process that holds the stream
// writes a part, and no part is written by two: a process that has lost the call to another one cannot spoil what
// that one records. The package knows no database; whoever asks for a recording must have checked whose it is.
package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley"
	"parley/internal/audio"
)

const (
	channels     = 2
	bytesPerMs   = channels * audio.BytesPerMs // of a file
	suffix       = ".wav"
	maxHole      = 10 * time.Minute // silence between two parts, at most
	silenceBlock = 8 << 10
)

// Folder is where recordings are kept: {folder}/{organization}/{conversation}/{epoch}-{beginning}.wav. Nodes that share
// a database must share the folder. Safe for concurrent use.
type Folder struct{ path string }

// NewFolder names the folder; it is made with the first recording.
func NewFolder(path string) *Folder { return &Folder{path: path} }

// part is one file of a recording.
type part struct {
	path  string
	epoch int64
	begun time.Time
}

// of names the folder of a recording. Only ids can name one: nothing leads out of here.
func (f *Folder) of(orgID, conversationID string) (string, error) {
	if !parley.IsID(orgID) || !parley.IsID(conversationID) {
		return "", errors.New("a recording needs the ids of an organization and of a conversation")
	}
	return filepath.Join(f.path, orgID, conversationID), nil
}

// Create begins the part of a recording that belongs to one epoch of its conversation. onError is called, on another
// goroutine and at most once, when writing fails: the call goes on without a recording.
func (f *Folder) Create(orgID, conversationID string, epoch int64, onError func(error)) (*Writer, error) {
	dir, err := f.of(orgID, conversationID)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the recording's folder: %w", err)
	}
	name := fmt.Sprintf("%08d-%d%s", epoch, time.Now().UnixMilli(), suffix)
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the recording: %w", err)
	}
	if _, err := file.Write(audio.ULawHeader(channels, -1)); err != nil {
		return nil, errors.Join(fmt.Errorf("begin the recording: %w", err), file.Close())
	}
	return newWriter(file, onError), nil
}

// parts lists the files of a recording in their order.
func (f *Folder) parts(orgID, conversationID string) ([]part, error) {
	dir, err := f.of(orgID, conversationID)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the recording's folder: %w", err)
	}
	var found []part
	for _, e := range entries {
		stem, ok := strings.CutSuffix(e.Name(), suffix)
		first, second, cut := strings.Cut(stem, "-")
		epoch, err1 := strconv.ParseInt(first, 10, 64)
		begun, err2 := strconv.ParseInt(second, 10, 64)
		if ok && cut && err1 == nil && err2 == nil {
			found = append(found, part{filepath.Join(dir, e.Name()), epoch, time.UnixMilli(begun)})
		}
	}
	slices.SortFunc(found, func(a, b part) int { return int(a.epoch - b.epoch) })
	return found, nil
}

// Exists reports whether there is a recording of a conversation.
func (f *Folder) Exists(orgID, conversationID string) bool {
	found, err := f.parts(orgID, conversationID)
	return err == nil && len(found) > 0
}

// Delete removes a recording. One that is being written ends with its call and is gone then, too.
func (f *Folder) Delete(orgID, conversationID string) error {
	dir, err := f.of(orgID, conversationID)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete the recording: %w", err)
	}
	return nil
}
