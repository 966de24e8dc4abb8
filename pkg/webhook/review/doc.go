// Package review turns the rules of one kind into an admission endpoint: it
// decodes what the API server sends, asks the rules, and words the answer.
//
// It knows no rule itself. A request that cannot be understood is answered with
// 400 and the reason, a question that cannot be decided with 500, a refusal with
// 403 and every problem at once; nothing that is posted makes it panic.
package review
