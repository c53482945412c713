package openapitest

import (
	"bytes"
	"net/http"
)

// answer is a complete answer of a handler or server.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// keeper is a ResponseWriter that keeps a copy of the answer.
type keeper struct {
	http.ResponseWriter
	status int
	header http.Header
	body   bytes.Buffer
}

// WriteHeader keeps the status and the header as they are now, because headers that are set later are not sent.
func (k *keeper) WriteHeader(status int) {
	if k.status == 0 && status >= http.StatusOK { // 1xx are not the final answer
		k.status, k.header = status, k.Header().Clone()
	}
	k.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (k *keeper) Write(p []byte) (int, error) {
	if k.status == 0 {
		k.WriteHeader(http.StatusOK)
	}
	k.body.Write(p)
	return k.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the writer below.
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// answer returns the answer of a handler that has returned.
func (k *keeper) answer() answer {
	if k.status == 0 {
		return answer{status: http.StatusOK, header: k.Header().Clone()}
	}
	return answer{status: k.status, header: k.header, body: k.body.Bytes()}
}
