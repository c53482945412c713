package contract_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

func load(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPaths pins the operations, so that none changes by accident.
func TestPaths(t *testing.T) {
	t.Parallel()
	var got []string
	for _, o := range load(t).Operations() {
		got = append(got, fmt.Sprintf("%-9s %-6s %-34s %s", o.Spec.Tags[0], o.Method, o.Path, o.ID))
	}
	slices.Sort(got)
	want := []string{
		"analytics GET    /analytics/events                  eventNames",
		"analytics GET    /analytics/events/timeseries       eventTimeseries",
		"analytics GET    /analytics/live                    liveEvents",
		"analytics GET    /analytics/overview                overview",
		"analytics GET    /analytics/products/timeseries     productTimeseriesBySKU",
		"analytics GET    /analytics/products/top            topProducts",
		"analytics GET    /analytics/products/{id}/timeseries productTimeseries",
		"analytics GET    /analytics/shared/overview         sharedOverview",
		"analytics GET    /analytics/shared/product          sharedProduct",
		"analytics GET    /analytics/users/me/summary        mySummary",
		"analytics GET    /analytics/users/top               topUsers",
		"analytics GET    /analytics/users/{id}/summary      userSummary",
		"analytics GET    /system                            getSystem",
		"auth      DELETE /alerts/{id}                       deleteAlert",
		"auth      DELETE /annotations/{id}                  deleteAnnotation",
		"auth      DELETE /auth/api-keys/{id}                revokeAPIKey",
		"auth      DELETE /auth/invitations/{id}             revokeInvitation",
		"auth      DELETE /auth/projects/{project}/invitations/{id} revokeProjectInvitation",
		"auth      DELETE /auth/projects/{project}/members/{user_id} removeMember",
		"auth      DELETE /auth/sessions                     endOwnSessions",
		"auth      DELETE /auth/share-links/{id}             revokeShareLink",
		"auth      DELETE /auth/users/{id}/sessions          endSessions",
		"auth      DELETE /digests/{id}                      deleteDigest",
		"auth      DELETE /views/{id}                        deleteView",
		"auth      GET    /alerts                            listAlerts",
		"auth      GET    /alerts/{id}                       getAlert",
		"auth      GET    /alerts/{id}/evaluations           listAlertEvaluations",
		"auth      GET    /annotations                       listAnnotations",
		"auth      GET    /auth/.well-known/jwks.json        getJWKS",
		"auth      GET    /auth/api-keys                     listAPIKeys",
		"auth      GET    /auth/audit                        listAudit",
		"auth      GET    /auth/invitations                  listInvitations",
		"auth      GET    /auth/me                           getMe",
		"auth      GET    /auth/projects                     listProjects",
		"auth      GET    /auth/projects/{project}           getProject",
		"auth      GET    /auth/projects/{project}/audit     listProjectAudit",
		"auth      GET    /auth/projects/{project}/invitations listProjectInvitations",
		"auth      GET    /auth/projects/{project}/members   listMembers",
		"auth      GET    /auth/share-links                  listShareLinks",
		"auth      GET    /auth/users                        listUsers",
		"auth      GET    /digests                           listDigests",
		"auth      GET    /views                             listViews",
		"auth      PATCH  /auth/projects/{project}           updateProject",
		"auth      PATCH  /auth/users/{id}                   updateUser",
		"auth      POST   /alerts                            createAlert",
		"auth      POST   /alerts/{id}/test                  testAlert",
		"auth      POST   /annotations                       createAnnotation",
		"auth      POST   /auth/api-keys                     createAPIKey",
		"auth      POST   /auth/invitations                  createInvitation",
		"auth      POST   /auth/invitations/accept           acceptInvitation",
		"auth      POST   /auth/login                        login",
		"auth      POST   /auth/logout                       logout",
		"auth      POST   /auth/password                     changePassword",
		"auth      POST   /auth/projects                     createProject",
		"auth      POST   /auth/projects/{project}/invitations createProjectInvitation",
		"auth      POST   /auth/refresh                      refresh",
		"auth      POST   /auth/register                     register",
		"auth      POST   /auth/share-links                  createShareLink",
		"auth      POST   /auth/share-links/open             openShareLink",
		"auth      POST   /auth/users/{id}/password          resetPassword",
		"auth      POST   /digests                           createDigest",
		"auth      POST   /digests/{id}/test                 testDigest",
		"auth      POST   /views                             createView",
		"auth      PUT    /alerts/{id}                       replaceAlert",
		"auth      PUT    /annotations/{id}                  replaceAnnotation",
		"auth      PUT    /auth/api-keys/{id}/signing-secret setSigningSecret",
		"auth      PUT    /auth/projects/{project}/members/{user_id} putMember",
		"auth      PUT    /digests/{id}                      replaceDigest",
		"auth      PUT    /views/{id}                        replaceView",
		"catalog   DELETE /products/{id}                     archiveProduct",
		"catalog   GET    /products                          listProducts",
		"catalog   GET    /products/{id}                     getProduct",
		"catalog   PATCH  /products/{id}                     updateProduct",
		"catalog   POST   /products                          createProduct",
		"catalog   POST   /products/bulk                     bulkUpsertProducts",
		"ingest    DELETE /imports/{id}                      finishImport",
		"ingest    DELETE /users/{id}                        eraseUser",
		"ingest    GET    /erasures                          listErasures",
		"ingest    GET    /erasures/{id}                     getErasure",
		"ingest    GET    /events                            listEvents",
		"ingest    GET    /events/batches/{id}               getBatchReceipt",
		"ingest    GET    /events/export                     exportEvents",
		"ingest    GET    /exports                           listExports",
		"ingest    GET    /exports/{id}                      getExport",
		"ingest    GET    /imports/{id}                      getImport",
		"ingest    GET    /orders/export                     exportOrders",
		"ingest    GET    /orders/{id}                       getOrder",
		"ingest    GET    /refunds/export                    exportRefunds",
		"ingest    GET    /rejections                        listRejections",
		"ingest    GET    /segment/sourceConfig/             getSourceConfig",
		"ingest    GET    /segment/v1/projects/{key}/settings getSegmentSettings",
		"ingest    GET    /users/{id}/events                 listUserEvents",
		"ingest    GET    /users/{id}/export                 exportUser",
		"ingest    POST   /cloudevents                       sendCloudEvents",
		"ingest    POST   /events                            createEvent",
		"ingest    POST   /events/beacon                     sendBeacon",
		"ingest    POST   /events/bulk                       createEventsBulk",
		"ingest    POST   /hooks/shopify/{key}               receiveShopify",
		"ingest    POST   /hooks/stripe/{key}                receiveStripe",
		"ingest    POST   /imports                           beginImport",
		"ingest    POST   /orders                            createOrder",
		"ingest    POST   /orders/bulk                       createOrdersBulk",
		"ingest    POST   /orders/{id}/refunds               createRefund",
		"ingest    POST   /otlp/v1/logs                      sendOTLPLogs",
		"ingest    POST   /plausible/{key}/api/event         sendPlausible",
		"ingest    POST   /posthog/i/v0/e                    sendPostHogEventPlain",
		"ingest    POST   /posthog/i/v0/e/                   sendPostHogEvent",
		"ingest    POST   /posthog/{call}                    sendPostHogPlain",
		"ingest    POST   /posthog/{call}/                   sendPostHog",
		"ingest    POST   /purchases                         createPurchase",
		"ingest    POST   /purchases/bulk                    createPurchasesBulk",
		"ingest    POST   /refunds                           createStandaloneRefund",
		"ingest    POST   /refunds/bulk                      createStandaloneRefundsBulk",
		"ingest    POST   /segment/beacon/v1/batch           sendSegmentBeacon",
		"ingest    POST   /segment/v1/{kind}                 sendSegment",
		"operations GET    /                                  getDashboard",
		"operations GET    /app                               getDashboardPage",
		"operations GET    /docs                              getDocs",
		"operations GET    /health                            getHealth",
		"operations GET    /hp.js                             getTracker",
		"operations GET    /metrics                           getMetrics",
		"operations GET    /openapi.yaml                      getOpenAPI",
		"operations GET    /ready                             getReadiness",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}

// each calls check for every operation, in a subtest of its own.
func each(t *testing.T, check func(t *testing.T, o *contract.Operation)) {
	for _, o := range load(t).Operations() {
		t.Run(o.ID, func(t *testing.T) {
			t.Parallel()
			check(t, o)
		})
	}
}

// TestSecurityFollowsAccess checks that security, which OpenAPI tools read, agrees with x-access. The APIs of other systems take Basic,
// as their libraries send it.
func TestSecurityFollowsAccess(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *contract.Operation) {
		var want *openapi3.SecurityRequirements // of the document: bearerAuth
		switch {
		case o.Access.Unauthenticated:
			want = openapi3.NewSecurityRequirements()
		case o.Access.Public:
			want = openapi3.NewSecurityRequirements().With(openapi3.NewSecurityRequirement()).
				With(openapi3.NewSecurityRequirement().Authenticate("bearerAuth"))
		case strings.HasPrefix(o.Path, "/segment/"):
			want = openapi3.NewSecurityRequirements().With(openapi3.NewSecurityRequirement().Authenticate("bearerAuth")).
				With(openapi3.NewSecurityRequirement().Authenticate("basicAuth"))
		}
		if diff := cmp.Diff(want, o.Spec.Security); diff != "" {
			t.Errorf("security (-want +got):\n%s", diff)
		}
	})
}

// TestPatternsAreExplained checks that everything in a request that has a pattern says in a sentence what is allowed.
func TestPatternsAreExplained(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *contract.Operation) {
		seen := map[*openapi3.Schema]bool{}
		for _, p := range o.Parameters {
			checkPatterns(t, p.Value.Name, p.Value.Schema, seen)
		}
		if body := o.Spec.RequestBody; body != nil {
			for mediaType, content := range body.Value.Content {
				checkPatterns(t, mediaType, content.Schema, seen)
			}
		}
	})
}

func checkPatterns(t *testing.T, where string, ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	t.Helper()
	if ref == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	if means, _ := s.Extensions["x-pattern-means"].(string); s.Pattern != "" && (!strings.HasPrefix(means, "Must ") || !strings.HasSuffix(means, ".")) {
		t.Errorf("%s: the pattern %s needs x-pattern-means, a sentence that begins with Must", where, s.Pattern)
	}
	checkPatterns(t, where+" items", s.Items, seen)
	checkPatterns(t, where+" members", s.AdditionalProperties.Schema, seen)
	for name, member := range s.Properties {
		checkPatterns(t, where+"/"+name, member, seen)
	}
	for _, part := range slices.Concat(s.AllOf, s.OneOf, s.AnyOf) {
		checkPatterns(t, where, part, seen)
	}
}

// TestChangesAreAudited checks that whoever adds an operation that changes something decides what the audit log has of it.
func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *contract.Operation) {
		if o.Method != http.MethodGet && len(o.Audit.Actions) == 0 && o.Audit.Reason == "" {
			t.Error("x-audit is missing: name the actions that the audit log has, or say why it has none, such as {none: …}")
		}
	})
}

func TestOperationsAreDescribed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *contract.Operation) {
		if o.Spec.Summary == "" || o.Spec.Description == "" || len(o.Spec.Tags) != 1 {
			t.Errorf("needs a summary, a description and one tag: %q, %q, %v", o.Spec.Summary, o.Spec.Description, o.Spec.Tags)
		}
		for _, p := range o.Parameters {
			if p.Value.Description == "" || p.Value.Example == nil && p.Value.Schema.Value.Example == nil {
				t.Errorf("parameter %s needs a description and an example", p.Value.Name)
			}
		}
		if body := o.Spec.RequestBody; body != nil && (body.Value.Description == "" || !body.Value.Required) {
			t.Error("the request body needs a description and must be required")
		}
		for status, response := range o.Spec.Responses.Map() {
			if response.Value.Headers["X-Request-Id"] == nil {
				t.Errorf("response %s needs the header X-Request-Id", status)
			}
			for name, header := range response.Value.Headers {
				if header.Value.Description == "" {
					t.Errorf("response %s: header %s needs a description", status, name)
				}
			}
		}
	})
}

// TestErrorsAreDocumented derives the errors of an operation from its parameters, body and access.
func TestErrorsAreDocumented(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *contract.Operation) {
		need := []int{500}
		if o.Spec.Tags[0] != "operations" || o.ID == "getReadiness" {
			need = append(need, 503)
		}
		if o.Service != "operations" { // malformed_query, unknown_parameter
			need = append(need, 400, 422)
		}
		if o.Spec.RequestBody != nil {
			need = append(need, 413, 415)
		}
		switch {
		case o.Access.Unauthenticated:
		case o.Access.Public:
			need = append(need, 401)
		default:
			need = append(need, 401, 403)
		}
		if len(o.Limits) > 0 {
			need = append(need, 429)
		}
		switch {
		case o.ProjectInPath: // unknown_project
			need = append(need, 404)
		case o.InProject: // project_required, project_forbidden
			need = append(need, 400, 403)
		}
		for _, p := range o.Parameters {
			switch {
			case p.Value.In == openapi3.ParameterInPath && p.Value.Schema.Value.Format == "uuid":
				need = append(need, 404)
			case p.Value.Name == "If-Match":
				need = append(need, 412, 422)
			default:
				need = append(need, 422)
			}
		}
		for _, status := range need {
			if o.Spec.Responses.Status(status) == nil {
				t.Errorf("%d is not documented", status)
			}
		}
		for name, response := range o.Spec.Responses.Map() {
			checkErrorResponse(t, o, name, response)
		}
	})
}

func checkErrorResponse(t *testing.T, o *contract.Operation, name string, response *openapi3.ResponseRef) {
	t.Helper()
	status, err := strconv.Atoi(name)
	if err != nil || status < 400 || o.ID == "getReadiness" && status == 503 {
		return
	}
	media := response.Value.Content["application/problem+json"]
	most := 1
	if strings.HasSuffix(o.Path, "/bulk") && o.Service == "ingest" && status == 422 {
		most = 2 // the result of a bulk request of which every item was refused
	}
	if o.ID == "sendOTLPLogs" {
		most = 3 // the same as exporters read it, in either encoding
	}
	if media == nil || media.Schema.Ref != "#/components/schemas/Problem" || len(response.Value.Content) > most {
		t.Errorf("%s must be a Problem", name)
		return
	}
	for _, example := range media.Examples {
		got, _ := example.Value.Value.(map[string]any)
		if got["status"] != float64(status) || !strings.HasSuffix(fmt.Sprint(got["type"]), fmt.Sprint("/", got["code"])) {
			t.Errorf("the example of %s has another status, or a type that does not end in its code: %v", name, got)
		}
	}
	retry := response.Value.Headers["Retry-After"]
	if always := retry != nil && retry.Value.Required; always != (status == 429 || status == 503) {
		t.Errorf("%s: Retry-After is always in 429 and 503, and only there", name)
	}
}

func TestExamplesFit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *contract.Operation) {
		if body := o.Spec.RequestBody; body != nil {
			checkExamples(t, "the request", body.Value.Content, openapi3.VisitAsRequest())
		}
		for status, response := range o.Spec.Responses.Map() {
			checkExamples(t, "the answer "+status, response.Value.Content, openapi3.VisitAsResponse())
		}
		for _, p := range o.Parameters {
			example := p.Value.Example
			if example == nil {
				example = p.Value.Schema.Value.Example
			}
			if err := p.Value.Schema.Value.VisitJSON(example, contract.Formats()...); err != nil {
				t.Errorf("the example of parameter %s: %v", p.Value.Name, err)
			}
		}
	})
}

func checkExamples(t *testing.T, where string, content openapi3.Content, direction openapi3.SchemaValidationOption) {
	t.Helper()
	for name, media := range content {
		if len(media.Examples) == 0 {
			t.Errorf("%s (%s) has no example", where, name)
		}
		for label, example := range media.Examples {
			options := append(contract.Formats(), direction, openapi3.MultiErrors())
			if err := media.Schema.Value.VisitJSON(example.Value.Value, options...); err != nil {
				t.Errorf("%s, example %s: %v", where, label, err)
			}
			if example.Value.Summary == "" {
				t.Errorf("%s, example %s has no summary", where, label)
			}
		}
	}
}

func TestSchemasAreDescribed(t *testing.T) {
	t.Parallel()
	err := load(t).Document.WalkSchemas(func(pointer string, ref *openapi3.SchemaRef) error {
		inline := strings.HasPrefix(pointer, "/components/") && !strings.HasSuffix(pointer, "/schema")
		if inline && ref.Value.Description == "" {
			t.Errorf("%s has no description", pointer)
		}
		for _, name := range ref.Value.Required {
			if ref.Value.Properties[name] == nil {
				t.Errorf("%s requires %s, which it does not have", pointer, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRequestsAreBounded checks that every part of a request has a bounded size and only known members.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, o *contract.Operation) {
		for _, p := range o.Parameters {
			checkBounded(t, p.Value.Name, p.Value.Schema.Value)
		}
		body := o.Spec.RequestBody
		if body == nil {
			return
		}
		for name, media := range body.Value.Content {
			if name == "application/x-ndjson" { // one text; its lines are events
				continue
			}
			err := media.Schema.WalkSubtree(func(pointer string, ref *openapi3.SchemaRef) error {
				checkBounded(t, name+pointer, ref.Value)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func checkBounded(t *testing.T, where string, s *openapi3.Schema) {
	t.Helper()
	open := s.AdditionalProperties.Has != nil && *s.AdditionalProperties.Has // free-form on purpose
	closed := s.AdditionalProperties.Has != nil && !*s.AdditionalProperties.Has
	typed := s.AdditionalProperties.Schema != nil && s.MaxProps != nil
	switch {
	case s.Type.Is(openapi3.TypeObject) && !open && !closed && !typed:
		t.Errorf("%s must say additionalProperties: false, or true, or a schema and maxProperties", where)
	case s.Type.Is(openapi3.TypeArray) && s.MaxItems == nil:
		t.Errorf("%s needs maxItems", where)
	case s.Type.Is(openapi3.TypeInteger) && (s.Min == nil || s.Max == nil):
		t.Errorf("%s needs minimum and maximum", where)
	case s.Type.Is(openapi3.TypeString) && s.MaxLength == nil && s.Pattern == "" && len(s.Enum) == 0 &&
		!slices.Contains([]string{"uuid", "date", "date-time"}, s.Format):
		t.Errorf("%s needs maxLength, pattern, enum or a format", where)
	}
}

// TestAgreedPropertiesAreOfAnyType checks that the contract allows what ingest stores under the agreed names.
func TestAgreedPropertiesAreOfAnyType(t *testing.T) {
	t.Parallel()
	schema := load(t).Document.Components.Schemas["EventProperties"].Value
	for name := range schema.Properties {
		for _, value := range []any{"text", true, 1.5, []any{"a", nil}, map[string]any{"id": "8f2a"}, nil} {
			if err := schema.VisitJSON(map[string]any{name: value}); err != nil {
				t.Errorf("%s = %v: %v", name, value, err)
			}
		}
	}
	if len(schema.Properties) == 0 {
		t.Error("no name is agreed")
	}
}
