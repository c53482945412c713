package edge

import "strings"

// template is a path with parameters, by segments. It finds the operation of a request that is not routed yet.
type template []string

// templateOf returns the template of a path; nil if the path has no parameters.
func templateOf(path string) template {
	if !strings.Contains(path, "{") {
		return nil
	}
	return strings.Split(path[1:], "/")
}

// match reports whether a path is one of the template, and returns the value of the parameter self.
func (t template) match(path, self string) (value string, ok bool) {
	rest, more := path, true
	for _, segment := range t {
		if !more || rest == "" {
			return "", false
		}
		var given string
		given, rest, more = strings.Cut(rest[1:], "/")
		switch {
		case segment[0] == '{':
			if segment[1:len(segment)-1] == self {
				value = given
			}
		case given != segment:
			return "", false
		}
		if more {
			rest = path[len(path)-len(rest)-1:] // with its slash
		}
	}
	return value, !more
}
