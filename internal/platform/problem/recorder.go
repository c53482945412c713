package problem

import "context"

// Recorder receives the full error of a request, so that the access log can report it once.
type Recorder struct{ Err error }

type recorderKey struct{}

// WithRecorder returns a context in which Write stores its error in rec.
func WithRecorder(ctx context.Context, rec *Recorder) context.Context {
	return context.WithValue(ctx, recorderKey{}, rec)
}
