// Package bundle builds the files of the widget from its sources with esbuild. It is used by go generate and by the
// test that compares the result with what is committed; nothing that serves imports it.
package bundle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/evanw/esbuild/pkg/api"
)

// Build bundles the widget in dir (web/widget) and returns its files by name: launcher.js, the panel, which has a
// hash in its name, and the panel's locales; each also compressed, as name.br and name.gz, except the launcher, into
// which the server writes an agent's appearance.
func Build(dir string) (map[string][]byte, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	options := api.BuildOptions{
		AbsWorkingDir: dir, Bundle: true, Outdir: filepath.Join(dir, "dist"), LogLevel: api.LogLevelSilent,
		Target: api.ES2022, Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsNone,
		MinifySyntax: true, MinifyWhitespace: true, MinifyIdentifiers: true, MangleProps: `^_[a-z]`, MangleQuoted: api.MangleQuotedFalse,
		Plugins: []api.Plugin{styles, lexerOnly},
		Alias: map[string]string{
			"preact": "../vendor/preact.mjs", "preact/hooks": "../vendor/preact-hooks.mjs",
			"htm": "../vendor/htm.mjs", "marked": "../vendor/marked.mjs",
		},
	}
	panel := options
	panel.EntryPoints, panel.EntryNames, panel.ChunkNames = []string{"src/panel.js"}, "[name]-[hash]", "[name]-[hash]"
	panel.Format, panel.Splitting = api.FormatESModule, true
	files, err := build(panel)
	if err != nil {
		return nil, err
	}
	entry := ""
	for name := range files {
		if strings.HasPrefix(name, "panel-") {
			entry = name
		}
	}
	for _, name := range slices.Collect(maps.Keys(files)) {
		files[name+".br"], files[name+".gz"] = Brotli(files[name]), gzipped(files[name])
	}
	launcher := options
	launcher.EntryPoints, launcher.Format = []string{"src/launcher.js"}, api.FormatIIFE
	launcher.Define = map[string]string{"PANEL": fmt.Sprintf("%q", entry)}
	more, err := build(launcher)
	if err != nil {
		return nil, err
	}
	files["launcher.js"] = more["launcher.js"]
	return files, nil
}

// Write builds the widget in dir and puts the files into its dist folder, in place of all that was there.
func Write(dir string) error {
	files, err := Build(dir)
	if err != nil {
		return err
	}
	dist := filepath.Join(dir, "dist")
	if err := os.RemoveAll(dist); err != nil {
		return fmt.Errorf("bundle: empty dist: %w", err)
	}
	if err := os.MkdirAll(dist, 0o750); err != nil {
		return fmt.Errorf("bundle: make dist: %w", err)
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dist, name), body, 0o644); err != nil { //nolint:gosec // public files
			return fmt.Errorf("bundle: write %s: %w", name, err)
		}
	}
	return nil
}

func build(options api.BuildOptions) (map[string][]byte, error) {
	result := api.Build(options)
	if len(result.Errors) > 0 {
		lines := api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage})
		return nil, errors.New("bundle: " + strings.Join(lines, "\n"))
	}
	files := make(map[string][]byte, len(result.OutputFiles))
	for _, f := range result.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	return files, nil
}

// styles lets a module import a style sheet as minified text, for a constructable sheet.
var styles = api.Plugin{Name: "styles", Setup: func(b api.PluginBuild) {
	b.OnLoad(api.OnLoadOptions{Filter: `\.css$`}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		source, err := os.ReadFile(args.Path)
		if err != nil {
			return api.OnLoadResult{}, fmt.Errorf("bundle: %w", err)
		}
		out := api.Transform(string(source), api.TransformOptions{
			Loader: api.LoaderCSS, MinifySyntax: true, MinifyWhitespace: true, Charset: api.CharsetUTF8,
			Engines: []api.Engine{{Name: api.EngineChrome, Version: "111"}, {Name: api.EngineSafari, Version: "16.4"}, {Name: api.EngineFirefox, Version: "113"}},
		})
		text := strings.TrimSpace(string(out.Code))
		return api.OnLoadResult{Contents: &text, Loader: api.LoaderText, Errors: out.Errors, Warnings: out.Warnings}, nil
	})
}}

// The widget reads Markdown with the lexer of marked and never writes HTML. lexerOnly drops the module's last part,
// an instance that holds on to parser and renderer, so that esbuild finds them unused: 3 KB less for each visitor.
var lexerOnly = api.Plugin{Name: "lexer-only", Setup: func(b api.PluginBuild) {
	b.OnLoad(api.OnLoadOptions{Filter: `vendor/marked\.mjs$`}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		source, err := os.ReadFile(args.Path)
		if err != nil {
			return api.OnLoadResult{}, fmt.Errorf("bundle: %w", err)
		}
		instance, export := markedInstance.FindIndex(source), markedLexer.FindSubmatch(source)
		if instance == nil || export == nil {
			return api.OnLoadResult{}, errors.New("bundle: marked.mjs does not end as it did: adapt lexerOnly to this version")
		}
		text := string(source[:instance[0]]) + ";export{" + string(export[1]) + " as Lexer};"
		return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, nil
	})
}}

var (
	markedInstance = regexp.MustCompile(`;var \w+=new \w+;function \w+\(`)
	markedLexer    = regexp.MustCompile(`export\{.*\b(\w+) as Lexer\b`)
)

// Brotli compresses as the server sends it.
func Brotli(body []byte) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, brotli.BestCompression)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func gzipped(body []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a valid constant
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}
