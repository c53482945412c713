// Command manifests checks rendered Kubernetes manifests against rules that the API does not enforce; see rules. Each file is one
// installation.
//
//	helm template hpa charts/hp-analytics | go run ./manifests -
//
// Rules can be skipped: -skip read-only-root.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("manifests", flag.ContinueOnError)
	flags.SetOutput(stderr)
	skip := flags.String("skip", "", "comma-separated names of rules to leave out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("no files given (- is the standard input)")
	}
	rules, err := rulesWithout(strings.FieldsFunc(*skip, func(r rune) bool { return r == ',' }))
	if err != nil {
		return err
	}
	found := 0
	for _, file := range flags.Args() {
		objects, err := readFile(file, stdin)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if len(objects) == 0 {
			return fmt.Errorf("%s: no objects", file)
		}
		install := manifest.NewInstall(objects)
		for _, r := range rules {
			for _, p := range r.check(install) {
				found++
				if _, err := fmt.Fprintf(stdout, "%s: %s/%s: %s: %s\n", file, p.object.Kind, p.object.Name, r.name, p.text); err != nil {
					return err
				}
			}
		}
	}
	if found > 0 {
		return fmt.Errorf("%d problems", found)
	}
	return nil
}

func readFile(file string, stdin io.Reader) ([]manifest.Object, error) {
	if file == "-" {
		return manifest.Read(stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return manifest.Read(f)
}
