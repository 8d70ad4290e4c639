// Command widget builds web/widget/dist from web/widget/src. Run it from the repository's root, or by make generate.
package main

import (
	"fmt"
	"os"

	"parley/web/widget/bundle"
)

func main() {
	if err := bundle.Write("web/widget"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
