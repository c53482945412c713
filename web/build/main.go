// Command build bundles the dashboard: it makes dist/ from src/ and vendor/. Its argument is the folder that has them.
//
// The result is part of the repository, so that building the product needs neither this program nor npm. It depends on nothing but
// the sources, and the check of generated code finds one that is not up to date.
package main

import (
	"errors"
	"fmt"
	"html"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: build DIR")
		os.Exit(2)
	}
	if err := build(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func build(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("the folder of the sources: %w", err)
	}
	files, err := bundle(dir)
	if err != nil {
		return err
	}
	page, err := page(filepath.Join(dir, "src", "index.html"), files)
	if err != nil {
		return err
	}
	files["index.html"] = page
	if files["licences.txt"], err = licences(filepath.Join(dir, "vendor")); err != nil {
		return err
	}
	return write(filepath.Join(dir, "dist"), files)
}

// bundle returns the files that a browser loads, by their paths in dist. Their names have a hash of their content.
func bundle(dir string) (map[string][]byte, error) {
	out := filepath.Join(dir, "dist")
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{filepath.Join(dir, "src", "main.tsx")},
		Bundle:            true,
		Splitting:         true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		JSX:               api.JSXAutomatic,
		JSXImportSource:   "preact",
		NodePaths:         []string{filepath.Join(dir, "vendor")},
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone, // licences.txt has them
		Outdir:            out,
		EntryNames:        "assets/app-[hash]",
		ChunkNames:        "assets/[name]-[hash]",
		AbsWorkingDir:     dir,
		LogLevel:          api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return nil, errors.New("the sources have errors")
	}
	files := map[string][]byte{}
	for _, file := range result.OutputFiles {
		name, err := filepath.Rel(out, file.Path)
		if err != nil {
			return nil, fmt.Errorf("a file outside of dist: %w", err)
		}
		files[filepath.ToSlash(name)] = file.Contents
	}
	return files, nil
}

// page returns the page with the names of its script and style.
func page(template string, files map[string][]byte) ([]byte, error) {
	content, err := os.ReadFile(template)
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	text := string(content)
	for mark, extension := range map[string]string{"SCRIPT": ".js", "STYLE": ".css"} {
		var found []string
		for name := range files {
			if strings.HasPrefix(name, "assets/app-") && path.Ext(name) == extension {
				found = append(found, name)
			}
		}
		if len(found) != 1 || strings.Count(text, mark) != 1 {
			return nil, fmt.Errorf("the page wants one %s, and there are %d", mark, len(found))
		}
		text = strings.Replace(text, mark, "ROOT"+html.EscapeString("app/"+found[0]), 1)
	}
	return []byte(text), nil
}

// licences returns those of all packages.
func licences(vendor string) ([]byte, error) {
	var text strings.Builder
	text.WriteString("The dashboard contains the following packages.\n")
	err := filepath.WalkDir(vendor, func(file string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Base(file) != "LICENSE" {
			return err
		}
		licence, err := os.ReadFile(file) //nolint:gosec // it is a source
		if err != nil {
			return fmt.Errorf("read a licence: %w", err)
		}
		name, err := filepath.Rel(vendor, filepath.Dir(file))
		if err != nil {
			return fmt.Errorf("name a package: %w", err)
		}
		fmt.Fprintf(&text, "\n---- %s ----\n\n%s\n", filepath.ToSlash(name), strings.TrimSpace(string(licence)))
		return nil
	})
	return []byte(text.String()), err
}

// write replaces what dist has.
func write(dist string, files map[string][]byte) error {
	if err := os.RemoveAll(dist); err != nil {
		return fmt.Errorf("remove the old files: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dist, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // sources are readable
			return fmt.Errorf("make a folder: %w", err)
		}
		if err := os.WriteFile(file, files[name], 0o644); err != nil { //nolint:gosec // sources are readable
			return fmt.Errorf("write a file: %w", err)
		}
	}
	return nil
}
