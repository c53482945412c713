// Package config fills configuration structs from the environment with go-envconfig.
//
// It adds three features: it reports all problems at once and not only the first; a value may come from a file (NAME_FILE holds
// the path, for secrets that Docker and Kubernetes mount); and it can print the effective configuration without secrets.
package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sethvargo/go-envconfig"
)

// Validator is implemented by configuration structs, at any depth, that have rules for their fields. Validate returns all
// problems joined by errors.Join, and each names its variable.
type Validator interface{ Validate() error }

// Load fills target, a pointer to a struct with env tags, from lookup and validates it. The error joins all problems:
// missing variables, values that cannot be parsed, unreadable files, and violated rules.
func Load(ctx context.Context, target any, lookup envconfig.Lookuper) error {
	value := reflect.ValueOf(target).Elem()
	var problems []error
	var unread []string
	for leaf := range leaves(value, "") {
		if err := leaf.fill(ctx, lookup); err != nil {
			problems = append(problems, err)
			unread = append(unread, leaf.name)
		}
	}
	return errors.Join(append(problems, about(validate(value), unread)...)...)
}

// about returns the problems of err, line by line and each once: a struct that embeds another one inherits its Validate,
// so the same rules may run twice. It leaves out the variables that could not be read, because the rules judged a zero
// value there.
func about(err error, unread []string) (problems []error) {
	if err == nil {
		return nil
	}
	seen := map[string]bool{}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if seen[line] || slices.ContainsFunc(unread, func(name string) bool { return strings.Contains(line, name) }) {
			continue
		}
		seen[line] = true
		problems = append(problems, errors.New(line))
	}
	return problems
}

// Environ returns a lookuper for the given "KEY=value" pairs (as from os.Environ). With a prefix such as "INGEST_", a
// prefixed variable overrides the plain one, so that one process can host several services with different settings.
func Environ(environ []string, prefix string) envconfig.Lookuper {
	vars := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			vars[name] = value
		}
	}
	bare := envconfig.MapLookuper(vars)
	if prefix == "" {
		return bare
	}
	return envconfig.MultiLookuper(envconfig.PrefixLookuper(prefix, bare), bare)
}

// field is one leaf of a configuration struct.
type field struct {
	name  string // environment variable
	info  reflect.StructField
	value reflect.Value
}

// fill reads one field. It passes go-envconfig a struct with only this field, because go-envconfig stops at the first problem
// and Load reports all of them.
func (f field) fill(ctx context.Context, lookup envconfig.Lookuper) error {
	f.info.Anonymous = false
	single := reflect.New(reflect.StructOf([]reflect.StructField{f.info}))
	source := fileLookuper{Lookuper: lookup, errs: new([]error)}
	err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: single.Interface(), Lookuper: source})
	if fileErr := errors.Join(*source.errs...); fileErr != nil {
		return fileErr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, f.explain(err))
	}
	f.value.Set(single.Elem().Field(0))
	return nil
}

// explain rewords an envconfig error. For a secret it drops the text, which may contain the value.
func (f field) explain(err error) error {
	switch {
	case errors.Is(err, envconfig.ErrMissingRequired):
		return errors.New("required, but not set (neither it nor " + f.name + "_FILE)")
	case f.value.Type() == reflect.TypeFor[Secret]():
		return errors.New("cannot be parsed")
	}
	if number, ok := errors.AsType[*strconv.NumError](err); ok {
		return unreadable(number)
	}
	return errors.Unwrap(err)
}

// unreadable says what a value must be that strconv could not read.
func unreadable(e *strconv.NumError) error {
	switch {
	case errors.Is(e.Err, strconv.ErrRange):
		return fmt.Errorf("%s is too large or too small", e.Num)
	case e.Func == "ParseBool":
		return fmt.Errorf("must be true or false, not %q", e.Num)
	default:
		return fmt.Errorf("must be a number, not %q", e.Num)
	}
}

// leaves yields the fields that are read from a variable, in order of declaration.
func leaves(v reflect.Value, prefix string) func(yield func(field) bool) {
	return func(yield func(field) bool) { walk(v, prefix, yield) }
}

func walk(v reflect.Value, prefix string, yield func(field) bool) bool {
	for i := range v.NumField() {
		info := v.Type().Field(i)
		name, options, _ := strings.Cut(info.Tag.Get("env"), ",")
		if name == "" && info.Type.Kind() == reflect.Struct {
			if !walk(v.Field(i), prefix+prefixOption(options), yield) {
				return false
			}
			continue
		}
		if name == "" {
			continue
		}
		if prefix != "" {
			info.Tag = reflect.StructTag(strings.Replace(string(info.Tag), `env:"`, `env:"`+prefix, 1))
		}
		if !yield(field{name: prefix + name, info: info, value: v.Field(i)}) {
			return false
		}
	}
	return true
}

func prefixOption(options string) string {
	for option := range strings.SplitSeq(options, ",") {
		if p, ok := strings.CutPrefix(strings.TrimSpace(option), "prefix="); ok {
			return p
		}
	}
	return ""
}

// validate calls Validate on v and on every struct inside it.
func validate(v reflect.Value) error {
	var problems []error
	for _, f := range v.Fields() {
		if f.Kind() == reflect.Struct && f.CanInterface() {
			problems = append(problems, validate(f))
		}
	}
	if v.CanAddr() {
		if rules, ok := reflect.TypeAssert[Validator](v.Addr()); ok {
			problems = append(problems, rules.Validate())
		}
	}
	return errors.Join(problems...)
}

// fileLookuper looks up NAME, or else reads the file that NAME_FILE names.
type fileLookuper struct {
	envconfig.Lookuper
	errs *[]error
}

// Lookup implements envconfig.Lookuper. It drops trailing newlines in the file, because editors add them.
func (l fileLookuper) Lookup(key string) (string, bool) {
	if value, ok := l.Lookuper.Lookup(key); ok {
		return value, true
	}
	path, ok := l.Lookuper.Lookup(key + "_FILE")
	if !ok || path == "" {
		return "", false
	}
	content, err := os.ReadFile(path)
	if err != nil {
		*l.errs = append(*l.errs, fmt.Errorf("%s_FILE: %w", key, err))
		return "", false
	}
	return strings.TrimRight(string(content), "\r\n"), true
}
