// Package manifest reads the parts of rendered Kubernetes manifests that the checks need.
package manifest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Object is a Kubernetes object. Decode reads its Spec.
type Object struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec json.RawMessage `json:"spec"`

	AutomountServiceAccountToken *bool             `json:"automountServiceAccountToken"` // of a ServiceAccount
	Data                         map[string][]byte `json:"data"`                         // of a Secret
	StringData                   map[string]string `json:"stringData"`
}

// Read returns the objects of a YAML stream.
func Read(r io.Reader) ([]Object, error) {
	var objects []Object
	for documents := utilyaml.NewYAMLReader(bufio.NewReader(r)); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return nil, fmt.Errorf("document %d: %w", len(objects)+1, err)
		}
		o := Object{TypeMeta: kind}
		switch kind.Kind {
		case "": // only comments
			continue
		case "ConfigMap": // its data is not base64, and no check needs it
			var named struct {
				metav1.ObjectMeta `json:"metadata"`
			}
			err = yaml.Unmarshal(document, &named)
			o.ObjectMeta = named.ObjectMeta
		default:
			err = yaml.Unmarshal(document, &o)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, document %d: %w", kind.Kind, len(objects)+1, err)
		}
		objects = append(objects, o)
	}
}

// Decode reads the spec of an object into the type that a check uses. kubeconform validates it against the API; here a mismatch only
// leaves fields empty.
func Decode[T any](o Object) T {
	var spec T
	_ = json.Unmarshal(o.Spec, &spec)
	return spec
}
