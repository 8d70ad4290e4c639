package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"parley"
	"parley/internal/config"
)

type pricesCmd struct {
	config.Prices `embed:""`
}

// Run prints the table that serve would use, in the form of a price file.
func (c *pricesCmd) Run(_ context.Context, s streams) error {
	prices, err := loadPrices(c.Prices)
	if err == nil {
		_, err = s.out.Write(prices.Encode())
	}
	return err
}

// loadPrices reads the operator's price file over the built-in prices.
func loadPrices(c config.Prices) (parley.Prices, error) {
	if c.PriceFile == "" {
		return parley.BuiltinPrices(), nil
	}
	text, err := os.ReadFile(c.PriceFile)
	if err != nil {
		return parley.Prices{}, fmt.Errorf("PARLEY_PRICES: %w", err)
	}
	prices, err := parley.ParsePrices(text)
	if err != nil {
		return parley.Prices{}, fmt.Errorf("PARLEY_PRICES: %s: %s", c.PriceFile, wrongFields(err))
	}
	return prices, nil
}

// wrongFields names every wrong field of a file.
func wrongFields(err error) string {
	e, ok := err.(*parley.Error) //nolint:errorlint // ParsePrices wraps nothing
	if !ok || len(e.Details) == 0 {
		return strings.Replace(err.Error(), "The body", "The file", 1)
	}
	var lines []string
	for _, d := range e.Details {
		lines = append(lines, d.Field+": "+d.Message)
	}
	return strings.Join(lines, "\n  ")
}
