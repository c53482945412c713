package cloudevents

import (
	"encoding/json"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// FuzzStructured compares what is read with what the library of the specification reads. What is stored of any input is an object.
func FuzzStructured(f *testing.F) {
	for _, rest := range []string{
		`"type":"x","userid":"a"}`, `"type":"view","subject":"TEA","region":"eu","n":3,"flag":true,"data":{"plan":"pro","user_id":"ada"}}`,
		`"type":"x","datacontenttype":"application/json","data_base64":"eyJuIjoxfQ=="}`, `"type":"x","data":"text"}`, `"type":"x","data":null}`, `"type":"\u00fc","dataschema":"s"}`,
		`"type":"x","data":{"source":1,"a\"b":{"c":[1]}}}`,
	} {
		f.Add([]byte(head + rest))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := Structured(body)
		if err != nil {
			return
		}
		m := request.messages[0]
		d := request.Events()[0]
		if d.Refused() {
			return
		}
		if properties := map[string]json.RawMessage{}; json.Unmarshal(d.Properties, &properties) != nil {
			t.Fatalf("the properties are %s", d.Properties)
		}
		var theirs cloudevents.Event
		if theirs.UnmarshalJSON(body) != nil || theirs.Validate() != nil {
			return // it is stricter where that does not matter here, such as in the form of a source
		}
		if theirs.ID() != string(m.ID) || theirs.Source() != string(m.Source) || theirs.Type() != d.Type || theirs.Subject() != string(m.Subject) || !theirs.Time().Equal(d.TS) {
			t.Errorf("read %+v, the library reads %s", m, theirs)
		}
	})
}
