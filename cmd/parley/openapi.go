package main

import "parley/internal/api"

type openapiCmd struct {
	JSON bool `name:"json" help:"Print JSON instead of YAML."`
}

// Run prints the document that the running server serves.
func (c *openapiCmd) Run(s streams) error {
	a := api.New(api.Options{Version: apiVersion})
	write := a.YAML
	if c.JSON {
		write = a.JSON
	}
	doc, err := write()
	if err == nil {
		_, err = s.out.Write(doc)
	}
	return err
}
