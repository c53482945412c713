// Package client calls an HP Analytics platform over HTTP.
//
//	c, err := client.New("https://analytics.example.com", client.WithAPIKey(key))
//	...
//	accepted, err := c.CreateEvent(ctx, client.EventInput{Type: "view", SKU: "SHOE-TRAIL-42", UserID: "customer-17"}, nil)
//
// There is one method for each operation of the API, named after its operationId, and one type for each of its schemas.
// They are generated from openapi.yaml, which is the reference of what they mean.
//
// # Retries
//
// A call is repeated while it fails for reasons that pass: the connection breaks, the answer is cut off, or the platform
// answers 429, 502, 503 or 504. The waits grow exponentially with jitter, are never shorter than the platform's
// Retry-After, and end with the context or with RetryPolicy.MaxElapsed. The request is encoded once and sent unchanged.
//
// A lost answer does not tell whether the platform has done the work, so what is sent must be recognizable. An event
// without an id gets a UUIDv7 before the first attempt, and so does a purchase: if the first attempt
// was stored, the next one is a duplicate and counts nothing. The time of a new event is that of its id, and so of this
// machine's clock, unless it has a TS.
//
// Retries do not outlive the process. Callers that send the same event again after a restart have to store its id, which
// NewID makes.
//
// Operations that would have a second effect (Register, CreateProduct, CreateAPIKey, UpdateProduct, and conditional changes
// with If-Match) are repeated only if the platform certainly has not done them: it could not be reached, or answered 429.
// BulkUpsertProducts and ArchiveProduct are repeated. If another client changes the same product between two attempts, the
// repeated attempt overwrites that change.
//
// # Errors
//
// An answer that is not a success is an *Error with the fields of the platform's problem document:
//
//	if problem, ok := errors.AsType[*client.Error](err); ok && problem.Code == "unknown_product" {
//
// Every other error means that there was no answer, or none that fits the contract. GetProduct with If-None-Match returns
// an *Error with the status 304 when the product has not changed.
package client

//go:generate ../.bin/oapi-codegen -config codegen/config.yaml ../openapi.yaml
