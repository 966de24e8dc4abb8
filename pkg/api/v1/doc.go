// Package v1 holds the bodies of the REST API, version 1, as openapi.yaml
// describes them. They are plain values: nothing is read, decided or written
// here.
//
// A list that the description requires is never nil, so that it is written as
// [] and not as null. Times are in UTC, to the second unless said otherwise.
package v1
