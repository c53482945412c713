// Command tracker bundles the tracker of pages and the packages for npm, from src. Its argument is the folder that has it.
//
// The script goes to dist twice: as hp.js, and by a name with a hash of its content, which pages may pin (Subresource Integrity). A
// script that was released stays in dist, because pages that pin it load it for as long as they are not changed. The results are part of
// the repository, so building the product needs neither this program nor npm.
package main

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: tracker DIR")
		os.Exit(2)
	}
	if err := build(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "tracker:", err)
		os.Exit(1)
	}
}

func build(dir string) error {
	script, err := bundle(dir, "hp.ts", api.BuildOptions{Format: api.FormatIIFE, MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true})
	if err != nil {
		return err
	}
	sum := sha512.Sum384(script)
	pinned := "hp-" + hex.EncodeToString(sum[:6]) + ".js"
	// The dashboard shows it to those who pin the script.
	names := fmt.Sprintf("// Made by build/tracker. The name of the tracker's script below /app/assets, and its hash for the attribute integrity.\n"+
		"export const script = %q;\nexport const integrity = \"sha384-%s\";\n", pinned, base64.StdEncoding.EncodeToString(sum[:]))
	files := map[string][]byte{"dist/hp.js": script, "dist/" + pinned: script, "../src/tracker.gen.ts": []byte(names)}
	for _, name := range packages {
		if files[name+"/index.js"], err = bundle(dir, name+".ts", api.BuildOptions{Format: api.FormatESModule}); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), content, 0o644); err != nil { //nolint:gosec // sources are readable
			return fmt.Errorf("write a file: %w", err)
		}
	}
	return nil
}

// packages are those for npm. Each has a folder, and an entry in src by the same name.
var packages = []string{"browser", "node"}

// bundle returns the one file that an entry of src becomes. Browsers since 2020 read it.
func bundle(dir, entry string, options api.BuildOptions) ([]byte, error) {
	options.EntryPoints = []string{filepath.Join(dir, "src", entry)}
	options.Bundle, options.Target, options.LogLevel, options.Charset = true, api.ES2020, api.LogLevelWarning, api.CharsetUTF8
	options.TsconfigRaw = "{}"
	options.LegalComments = api.LegalCommentsNone
	result := api.Build(options)
	if len(result.Errors) > 0 {
		return nil, errors.New("the sources have errors")
	}
	if len(result.OutputFiles) != 1 {
		return nil, fmt.Errorf("%s becomes %d files, want one", entry, len(result.OutputFiles))
	}
	return result.OutputFiles[0].Contents, nil
}
