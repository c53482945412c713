package problem

import "context"

// Recorder receives the full error of a request, so that the access log can report it once, at the edge.
type Recorder struct{ Err error }

type recorderKey struct{}

// WithRecorder returns a context in which Write leaves its error in rec.
func WithRecorder(ctx context.Context, rec *Recorder) context.Context {
	return context.WithValue(ctx, recorderKey{}, rec)
}
