package auth_test

import (
	"net/http"
	"slices"
	"testing"
)

type savedView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Shared  bool   `json:"shared"`
	Own     bool   `json:"own"`
	Owner   string `json:"owner"`
}

type viewPage struct{ Items []savedView }

func (p viewPage) names() (names []string) {
	for _, v := range p.Items {
		names = append(names, v.Name)
	}
	return names
}

const views = "/views"

// TestViews checks who sees, changes and deletes a saved view.
func TestViews(t *testing.T) {
	t.Parallel()
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	o := newOffice(t)
	anyone := o.start()
	admin := o.admin(anyone)
	admin.createProject("shop")
	analyst, _ := o.join(admin, "shop", "ada.analyst@example.com", "analyst")
	viewer, _ := o.join(admin, "shop", "viewer@example.com", "viewer")
	list := func(c client) []string { return want[viewPage](c, http.StatusOK, get, views, "").names() }

	made := want[savedView](analyst, http.StatusCreated, post, views, `{"name":" Week ","address":"/?period=7+days","shared":false}`)
	if made.Name != "Week" || made.Address != "/?period=7+days" || made.Shared || !made.Own || made.Owner != "ada.analyst" {
		t.Errorf("made: %+v", made)
	}
	want[savedView](viewer, http.StatusCreated, post, views, `{"name":"Mine","address":"/app/events","shared":false}`)
	if got := list(viewer); !slices.Equal(got, []string{"Mine"}) {
		t.Errorf("a viewer sees %v", got)
	}
	wantProblem(t, viewer.do(put, views+"/"+made.ID, `{"name":"x","address":"/","shared":false}`), http.StatusNotFound, "unknown_view")

	for range 2 { // the second time, nothing changes
		want[savedView](analyst, http.StatusOK, put, views+"/"+made.ID, `{"name":"Week","address":"/?period=7+days","shared":true}`)
	}
	if got := list(viewer); !slices.Equal(got, []string{"Mine", "Week"}) {
		t.Errorf("a viewer sees %v", got)
	}
	if shared := want[viewPage](viewer, http.StatusOK, get, views, "").Items[1]; shared.Own || shared.Owner != "ada.analyst" {
		t.Errorf("a viewer sees %+v", shared)
	}
	wantProblem(t, viewer.do(put, views+"/"+made.ID, `{"name":"x","address":"/","shared":false}`), http.StatusNotFound, "unknown_view")
	wantProblem(t, viewer.do(del, views+"/"+made.ID, ""), http.StatusNotFound, "unknown_view")
	wantProblem(t, viewer.do(post, views, `{"name":"x","address":"/","shared":true}`), http.StatusForbidden, "forbidden")
	wantProblem(t, analyst.do(post, views, `{"name":"Week","address":"/","shared":false}`), http.StatusConflict, "view_name_taken", "/name view_name_taken")
	want[savedView](viewer, http.StatusCreated, post, views, `{"name":"Week","address":"/","shared":false}`) // names are those of an account
	other := admin.in("default")
	if got := list(other); len(got) != 0 {
		t.Errorf("another project has %v", got)
	}
	wantProblem(t, other.do(del, views+"/"+made.ID, ""), http.StatusNotFound, "unknown_view")

	want[struct{}](admin.in("shop"), http.StatusNoContent, del, views+"/"+made.ID, "") // an owner of the project
	wantProblem(t, analyst.do(del, views+"/"+made.ID, ""), http.StatusNotFound, "unknown_view")
	var actions string
	o.value(`SELECT string_agg(action, ' ' ORDER BY id) FROM audit.log WHERE subject = $1`, &actions, "view:"+made.ID)
	if actions != "view.created view.changed view.deleted" {
		t.Errorf("the audit log has %s", actions)
	}
}

// TestInvalidViews checks that no view leads out of the dashboard, and that an account keeps a bounded number.
func TestInvalidViews(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.admin(o.start())
	for body, field := range map[string]string{
		`{"name":"x","address":"//example.com/app","shared":false}`: "/address invalid_value",
		`{"name":"x","address":"javascript:x","shared":false}`:      "/address invalid_value",
		`{"name":" ","address":"/","shared":false}`:                 "/name too_short",
		`{"name":"a\u0007","address":"/","shared":false}`:           "/name invalid_value",
	} {
		wantProblem(t, admin.do(http.MethodPost, views, body), http.StatusUnprocessableEntity, "validation_failed", field)
	}
	o.execute(`INSERT INTO workspace.views (id, project, name, address, shared, owner)
		SELECT gen_random_uuid(), 1, 'view ' || n, '/', false, u.id FROM generate_series(1, 99) n, auth.users u`)
	want[savedView](admin, http.StatusCreated, http.MethodPost, views, `{"name":"last","address":"/","shared":false}`)
	wantProblem(t, admin.do(http.MethodPost, views, `{"name":"one more","address":"/","shared":false}`), http.StatusConflict, "too_many_views")
}
