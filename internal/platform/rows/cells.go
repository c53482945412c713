package rows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// cells sets to to the values of an object in the order of columns.
func cells(object []byte, columns, to []string) error {
	row, err := members(object)
	if err != nil {
		return err
	}
	nested := map[string]map[string]json.RawMessage{"": row}
	for i, column := range columns {
		if to[i], err = cell(nested, column); err != nil {
			return fmt.Errorf("column %s: %w", column, err)
		}
	}
	return nil
}

// cell returns the value of a column. nested has the objects of the row that were decoded, by their paths.
func cell(nested map[string]map[string]json.RawMessage, column string) (string, error) {
	path, name := "", column
	if dot := strings.LastIndexByte(column, '.'); dot >= 0 {
		path, name = column[:dot], column[dot+1:]
	}
	object, err := descend(nested, path)
	if err != nil {
		return "", err
	}
	return text(object[name])
}

// descend returns the object at a path, which is nil if it is absent or null.
func descend(nested map[string]map[string]json.RawMessage, path string) (map[string]json.RawMessage, error) {
	if object, known := nested[path]; known {
		return object, nil
	}
	parent, name := "", path
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		parent, name = path[:dot], path[dot+1:]
	}
	above, err := descend(nested, parent)
	if err != nil {
		return nil, err
	}
	if raw, present := above[name]; present {
		if nested[path], err = members(raw); err != nil {
			return nil, err
		}
	} else {
		nested[path] = nil
	}
	return nested[path], nil
}

func members(object []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		return nil, fmt.Errorf("a row is no object: %w", err)
	}
	return m, nil
}

// text returns a value as a cell: a string as its text, an absent member and null as nothing, and everything else as its JSON.
func text(value json.RawMessage) (string, error) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || string(value) == "null" {
		return "", nil
	}
	if value[0] != '"' {
		return string(value), nil
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return "", err
	}
	return Harmless(s), nil
}

// formulaStarts begin a formula in some spreadsheet, the full-width ones too (OWASP, CSV injection).
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// Harmless returns a text that no spreadsheet takes for a formula: one that could be has an apostrophe in front, as OWASP
// recommends. Only texts need it. A negative number is a number.
func Harmless(s string) string {
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune(formulaStarts, first) {
		return "'" + s
	}
	return s
}
