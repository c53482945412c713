package auth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type annotation struct {
	ID     string  `json:"id"`
	Day    string  `json:"day"`
	At     *string `json:"at"`
	Text   string  `json:"text"`
	Author *string `json:"author"`
}

type annotationPage struct{ Items []annotation }

// texts returns the annotations of a page as "day text".
func (p annotationPage) texts() (lines []string) {
	for _, a := range p.Items {
		lines = append(lines, a.Day+" "+a.Text)
	}
	return lines
}

const annotations = "/annotations"

// TestAnnotations checks that members share annotations of days and instants, that instants lie in days of the project's zone, and who
// is named as the author.
func TestAnnotations(t *testing.T) {
	t.Parallel()
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	want[projectDetails](admin, http.StatusCreated, post, "/auth/projects", `{"slug":"shop","name":"Shop","time_zone":"Asia/Tokyo"}`)
	analyst, _ := o.join(admin, "shop", "ada.analyst@example.com", "analyst")
	viewer, _ := o.join(admin, "shop", "viewer@example.com", "viewer")
	key := want[apiKey](admin.in("shop"), http.StatusCreated, post, "/auth/api-keys", `{"name":"releases","scopes":["admin"]}`)

	day := want[annotation](analyst, http.StatusCreated, post, annotations, `{"day":"2026-03-15","text":" Campaign "}`)
	if day.At != nil || day.Text != "Campaign" || day.Author == nil || *day.Author != "ada.analyst" {
		t.Errorf("made: %+v", day)
	}
	instant := want[annotation](anyone.as(key.Key), http.StatusCreated, post, annotations, `{"at":"2026-03-14T20:00:00Z","text":"Release"}`)
	if instant.Day != "2026-03-15" || instant.At == nil || *instant.At != "2026-03-14T20:00:00Z" || *instant.Author != "root" {
		t.Errorf("made: %+v", instant) // in Tokyo, it is the next day
	}
	want[annotation](analyst, http.StatusCreated, post, annotations, `{"day":"2026-02-28","text":"Earlier"}`)
	list := want[annotationPage](viewer, http.StatusOK, get, annotations, "")
	if diff := cmp.Diff([]string{"2026-02-28 Earlier", "2026-03-15 Campaign", "2026-03-15 Release"}, list.texts()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	for query, n := range map[string]int{"?from=2026-03-15": 2, "?from=2026-03-01&to=2026-03-14": 0, "?to=2026-02-28": 1} {
		if got := want[annotationPage](viewer, http.StatusOK, get, annotations+query, ""); len(got.Items) != n {
			t.Errorf("%s: %v, want %d", query, got.texts(), n)
		}
	}

	wantProblem(t, viewer.do(post, annotations, `{"day":"2026-03-15","text":"x"}`), http.StatusForbidden, "forbidden")
	wantProblem(t, viewer.do(put, annotations+"/"+day.ID, `{"day":"2026-03-15","text":"x"}`), http.StatusForbidden, "forbidden")
	wantProblem(t, viewer.do(del, annotations+"/"+day.ID, ""), http.StatusForbidden, "forbidden")
	other := admin.in("default")
	if got := want[annotationPage](other, http.StatusOK, get, annotations, ""); len(got.Items) != 0 {
		t.Errorf("another project has %v", got.texts())
	}
	wantProblem(t, other.do(put, annotations+"/"+day.ID, `{"day":"2026-03-15","text":"x"}`), http.StatusNotFound, "unknown_annotation")
	wantProblem(t, other.do(del, annotations+"/"+day.ID, ""), http.StatusNotFound, "unknown_annotation")

	for range 2 { // the second time, nothing changes
		moved := want[annotation](admin.in("shop"), http.StatusOK, put, annotations+"/"+day.ID, `{"at":"2026-03-16T00:00:00Z","text":"Campaign"}`)
		if moved.Day != "2026-03-16" || *moved.Author != "ada.analyst" {
			t.Errorf("changed: %+v", moved)
		}
	}
	want[struct{}](analyst, http.StatusNoContent, del, annotations+"/"+day.ID, "")
	wantProblem(t, analyst.do(del, annotations+"/"+day.ID, ""), http.StatusNotFound, "unknown_annotation")
	var actions string
	o.value(`SELECT string_agg(action, ' ' ORDER BY id) FROM audit.log WHERE subject = $1`, &actions, "annotation:"+day.ID)
	if actions != "annotation.created annotation.changed annotation.deleted" {
		t.Errorf("the audit log has %s", actions)
	}

	// The author can be gone; what was noted stays.
	o.execute(`DELETE FROM auth.users WHERE email = 'ada.analyst@example.com'`)
	if list := want[annotationPage](viewer, http.StatusOK, get, annotations+"?to=2026-03-01", ""); len(list.Items) != 1 || list.Items[0].Author != nil {
		t.Errorf("listed: %+v", list)
	}
}

func TestInvalidAnnotations(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	for body, field := range map[string]string{
		`{"text":"x"}`: "/day one_time",
		`{"text":"x","day":"2026-03-15","at":"2026-03-15T00:00:00Z"}`:           "/day one_time",
		`{"text":"  ","day":"2026-03-15"}`:                                      "/text too_short",
		`{"text":"a\u0000b","day":"2026-03-15"}`:                                "/text invalid_value",
		`{"text":"x","day":"1969-12-31"}`:                                       "/day out_of_range",
		`{"text":"x","at":"9999-12-31T23:59:59Z"}`:                              "/at out_of_range",
		fmt.Sprintf(`{"text":%q,"day":"2026-03-15"}`, strings.Repeat("ü", 201)): "/text too_long",
	} {
		wantProblem(t, admin.do(http.MethodPost, annotations, body), http.StatusUnprocessableEntity, "validation_failed", field)
	}
	want[annotation](admin, http.StatusCreated, http.MethodPost, annotations, fmt.Sprintf(`{"text":%q,"day":"2026-03-15"}`, strings.Repeat("ü", 200)))
}

// TestTooManyAnnotations checks that a list always has all annotations of a project.
func TestTooManyAnnotations(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	o.execute(`INSERT INTO workspace.annotations (id, project, day, text) SELECT gen_random_uuid(), 1, '2026-03-15', 'x' FROM generate_series(1, 999)`)
	want[annotation](admin, http.StatusCreated, http.MethodPost, annotations, `{"text":"last","day":"2026-03-15"}`)
	wantProblem(t, admin.do(http.MethodPost, annotations, `{"text":"one more","day":"2026-03-15"}`), http.StatusConflict, "too_many_annotations")
	if list := want[annotationPage](admin, http.StatusOK, http.MethodGet, annotations, ""); len(list.Items) != 1000 {
		t.Errorf("%d annotations are listed", len(list.Items))
	}
}
