// Package widget is the public HTTP of a chat on somebody's website: /widget/v1/…, /widget.js and its files.
//
// It decides who may speak with an agent: by the page's origin, by the visitor's token and by budgets, all read from
// the database for every request. What an agent answers is the chat package's; pages that people of the house see are
// not its business.
package widget
