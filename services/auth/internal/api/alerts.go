package api

import (
	"context"

	"github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/alert"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/channel"
)

// ListAlerts implements StrictServerInterface.
func (s *Server) ListAlerts(ctx context.Context, _ ListAlertsRequestObject) (ListAlertsResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Alerts(ctx, caller.Project.ID)
	if err != nil {
		return nil, err
	}
	answer := ListAlerts200JSONResponse{Items: make([]Alert, len(list))}
	for i := range list {
		answer.Items[i] = alertAnswer(&list[i])
	}
	return answer, nil
}

// GetAlert implements StrictServerInterface.
func (s *Server) GetAlert(ctx context.Context, request GetAlertRequestObject) (GetAlertResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	a, err := s.Store.Alert(ctx, caller.Project.ID, request.ID)
	if err != nil {
		return nil, err
	}
	return GetAlert200JSONResponse(alertAnswer(&a)), nil
}

// ListAlertEvaluations implements StrictServerInterface.
func (s *Server) ListAlertEvaluations(ctx context.Context, request ListAlertEvaluationsRequestObject) (ListAlertEvaluationsResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Evaluations(ctx, caller.Project.ID, request.ID)
	if err != nil {
		return nil, err
	}
	answer := ListAlertEvaluations200JSONResponse{Items: make([]AlertEvaluation, len(list))}
	for i := range list {
		answer.Items[i] = evaluationAnswer(&list[i])
	}
	return answer, nil
}

// CreateAlert implements StrictServerInterface.
func (s *Server) CreateAlert(ctx context.Context, request CreateAlertRequestObject) (CreateAlertResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	content, err := alertOf(request.Body)
	if err != nil {
		return nil, err
	}
	secret := content.NewSecret()
	a, err := s.store(ctx).CreateAlert(ctx, caller.Project.ID, content, secret)
	if err != nil {
		return nil, err
	}
	return CreateAlert201JSONResponse{
		Body: AlertCreated{Alert: alertAnswer(&a), Secret: secret}, Headers: CreateAlert201ResponseHeaders{CacheControl: noStore, Location: "/alerts/" + a.ID.String()},
	}, nil
}

// ReplaceAlert implements StrictServerInterface.
func (s *Server) ReplaceAlert(ctx context.Context, request ReplaceAlertRequestObject) (ReplaceAlertResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	content, err := alertOf(request.Body)
	if err != nil {
		return nil, err
	}
	a, err := s.store(ctx).ReplaceAlert(ctx, caller.Project.ID, request.ID, content)
	if err != nil {
		return nil, err
	}
	return ReplaceAlert200JSONResponse(alertAnswer(&a)), nil
}

// DeleteAlert implements StrictServerInterface.
func (s *Server) DeleteAlert(ctx context.Context, request DeleteAlertRequestObject) (DeleteAlertResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.store(ctx).DeleteAlert(ctx, caller.Project.ID, request.ID); err != nil {
		return nil, err
	}
	return DeleteAlert204Response{}, nil
}

// TestAlert implements StrictServerInterface. The aggregator sends the test.
func (s *Server) TestAlert(ctx context.Context, request TestAlertRequestObject) (TestAlertResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	v, err := s.store(ctx).TestAlert(ctx, caller.Project.ID, request.ID, s.TestLimit)
	if err != nil {
		return nil, err
	}
	return TestAlert202JSONResponse(deliveryAnswer(v)), nil
}

func alertOf(body *AlertRequest) (alert.Content, error) {
	content := alert.Content{
		Channel: channel.Of(body.Recipients, body.URL), Name: body.Name, Metric: string(body.Metric), Currency: text(body.Currency), Event: text(body.Event), Product: body.Product,
		Every: string(body.Every), Hour: body.Hour, Condition: string(body.Condition), Threshold: body.Threshold, Percent: body.Percent, Sensitivity: body.Sensitivity,
		Direction: text(body.Direction), Baseline: text(body.Baseline), NotifyRecovery: body.NotifyRecovery, Enabled: body.Enabled,
	}
	return content.Check()
}

func alertAnswer(a *alert.Alert) Alert {
	answer := Alert{
		ID: a.ID, Name: a.Name, Metric: AlertMetric(a.Metric), Currency: member[string](a.Currency), Event: member[string](a.Event), Product: a.Product,
		Every: DigestInterval(a.Every), Hour: a.Hour, Condition: AlertCondition(a.Condition), Threshold: a.Threshold, Percent: a.Percent, Sensitivity: a.Sensitivity,
		Direction: member[AlertDirection](a.Direction), Baseline: member[AlertBaseline](a.Baseline), NotifyRecovery: a.NotifyRecovery,
		Recipients: a.Recipients, URL: a.URL, Enabled: a.Enabled, CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
	if a.Last != nil {
		last := evaluationAnswer(a.Last)
		answer.Last = &last
	}
	return answer
}

func evaluationAnswer(e *alert.Evaluation) AlertEvaluation {
	answer := AlertEvaluation{
		ID: e.ID, From: types.Date{Time: e.First}, To: types.Date{Time: e.Last}, State: AlertEvaluationState(e.State), Reason: e.Reason,
		Value: e.Value, Low: e.Low, High: e.High, Score: e.Score, Fired: e.Fired, Recovered: e.Recovered, AsOf: inUTC(e.AsOf), DueAt: e.DueAt.UTC(),
	}
	if e.Delivery != nil {
		delivery := deliveryAnswer(*e.Delivery)
		answer.Delivery = &delivery
	}
	return answer
}

// text returns a member that may be missing.
func text[T ~string](member *T) string {
	if member == nil {
		return ""
	}
	return string(*member)
}

// member returns a text as a member that is missing if it is empty.
func member[T ~string](text string) *T {
	if text == "" {
		return nil
	}
	value := T(text)
	return &value
}
