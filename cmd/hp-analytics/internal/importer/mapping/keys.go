package mapping

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// errNoMapping is the error of a file that is something else, such as the rows.
var errNoMapping = errors.New("this is no mapping. A mapping says what the rows are, beginning with a line such as \"rows: orders\" (docs/import.md); " +
	"the files with the rows are named behind the options")

// checkKeys returns what a mapping has that nothing reads, and values of the wrong kind, in the words of the file: where YAML is decoded
// into Go, errors name types of this program.
func checkKeys(document *yaml.Node) error {
	root := document
	if root.Kind == yaml.DocumentNode && len(root.Content) > 0 {
		root = root.Content[0]
	}
	if root.Kind != yaml.MappingNode {
		return errNoMapping
	}
	return errors.Join(checkObject(root, reflect.TypeFor[Mapping](), "")...)
}

// checkObject checks the members of a node that is decoded into a struct.
func checkObject(node *yaml.Node, into reflect.Type, path string) (problems []error) {
	members := map[string]reflect.Type{}
	var names []string
	for field := range into.Fields() {
		if name := field.Tag.Get("yaml"); name != "" {
			members[name], names = field.Type, append(names, name)
		}
	}
	where := "a mapping"
	if path != "" {
		where = path
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		member, known := members[key.Value]
		switch {
		case !known:
			problems = append(problems, fmt.Errorf("line %d: %s has no %q; it has %s", key.Line, where, key.Value, strings.Join(names, ", ")))
		case seen[key.Value]:
			problems = append(problems, fmt.Errorf("line %d: %s has %q twice", key.Line, where, key.Value))
		default:
			problems = append(problems, checkValue(value, member, strings.TrimPrefix(path+"."+key.Value, "."))...)
		}
		seen[key.Value] = true
	}
	return problems
}

// checkValue checks a value that is decoded into a type. No value is an empty one.
func checkValue(node *yaml.Node, into reflect.Type, path string) (problems []error) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Tag == "!!null" {
		return nil
	}
	wrong := func(want string) []error { return []error{fmt.Errorf("line %d: %s must be %s", node.Line, path, want)} }
	switch into.Kind() {
	case reflect.Struct:
		if node.Kind != yaml.MappingNode {
			return wrong("a list of settings such as {name: value}")
		}
		return checkObject(node, into, path)
	case reflect.Map:
		if node.Kind != yaml.MappingNode || !scalars(node) {
			return wrong("a list of names with a text for each, such as {sku: StockCode}")
		}
	case reflect.Slice:
		if node.Kind != yaml.SequenceNode || !scalars(node) {
			return wrong("a list of texts, such as [sku, name]")
		}
	case reflect.Bool:
		if node.Tag != "!!bool" {
			return wrong("true or false")
		}
	default:
		if node.Kind != yaml.ScalarNode {
			return wrong("a text")
		}
	}
	return nil
}

// scalars reports whether a node holds no further lists.
func scalars(node *yaml.Node) bool {
	return !slices.ContainsFunc(node.Content, func(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode })
}
