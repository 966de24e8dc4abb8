package v1

// Problem is the body of an error answer: problem details of RFC 9457, with the
// fields that were wrong. It is an error itself; package problem makes them.
type Problem struct { //nolint:errname // it is called so by RFC 9457 and in the description
	// Type is what kind of problem it is; "about:blank" when the status says it
	// all (RFC 9457, 4.2.1).
	Type string `json:"type,omitempty"`
	// Title is the short name of the status.
	Title string `json:"title"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Detail says in plain words what is wrong here.
	Detail string `json:"detail"`
	// Instance is the path that was asked for.
	Instance string `json:"instance,omitempty"`
	// Errors has one entry for each field that is wrong.
	Errors []FieldProblem `json:"errors,omitempty"`
}

// FieldProblem says what is wrong with one field, and what to write instead.
type FieldProblem struct {
	// Field is the parameter, or the path of the field in the body.
	Field string `json:"field,omitempty"`
	// Value is what was given.
	Value any `json:"value,omitempty"`
	// Detail says what is wrong with it.
	Detail string `json:"detail"`
	// Remedy says what to do.
	Remedy string `json:"remedy,omitempty"`
}

// Error implements error with the detail.
func (p *Problem) Error() string { return p.Detail }
