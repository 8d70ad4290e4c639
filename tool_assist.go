package parley

import "encoding/json"

// ToolKnowledgeSearch is the slug of the tool that finds an agent's documents.
const ToolKnowledgeSearch = "knowledge_search"

// assistTools help an agent to understand, to remember and to look things up.
var assistTools = []Tool{
	{
		ID:           "collect_input",
		Name:         "Collect input",
		FunctionName: "collect_input",
		Description: "Reads what a person spells or dictates: an e-mail address, a name, a phone number, a postal code, a customer number or a date. " +
			"It writes the value correctly, checks it, and gives a text to read back. Use it for every such value, and never use one that the person has not confirmed.",
		Category: "conversation",
		Kind:     ToolBuiltin,
		Access:   AccessRead,
		Parameters: json.RawMessage(`{"type":"object","properties":{"kind":{"type":"string","enum":["email","name","phone","postal_code","customer_number","date"],` +
			`"description":"What was asked for. customer_number is any code of letters and digits."},` +
			`"heard":{"type":"string","maxLength":1000,"description":"The whole value exactly as the person said it, word for word, such as: j o h n dot smith at gmail dot com. Correct nothing."},` +
			`"language":{"type":"string","description":"The language that was spoken: en, de, es, fr or fi."},` +
			`"country":{"type":"string","description":"Two letters such as DE, if the person said which country a phone number or postal code is in."}},` +
			`"required":["kind","heard"],"additionalProperties":false}`),
	},
	{
		ID:           ToolKnowledgeSearch,
		Name:         "Knowledge search",
		FunctionName: ToolKnowledgeSearch,
		Description: "Searches the documents that you were given, such as prices, opening hours, terms and instructions. Use it before you answer a question about " +
			"the company or its products, and answer from what it finds. If it finds nothing that fits, say that you do not know.",
		Category: "information",
		Kind:     ToolBuiltin,
		Access:   AccessRead,
		Parameters: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string","minLength":1,"maxLength":500,` +
			`"description":"What to look for: the words that the answer is likely to have, in the language of the documents."}},` +
			`"required":["query"],"additionalProperties":false}`),
	},
	{
		ID:           "recall",
		Name:         "Recall",
		FunctionName: "recall",
		Description:  "Tells what was remembered of this person in earlier conversations. The notes say what was once understood; they may be out of date.",
		Category:     "memory",
		Kind:         ToolBuiltin,
		Access:       AccessRead,
		Parameters: json.RawMessage(`{"type":"object","properties":{"key":{"type":"string","maxLength":60,` +
			`"description":"Only the note with this key; everything when absent."}},"additionalProperties":false}`),
	},
	{
		ID:           "remember",
		Name:         "Remember",
		FunctionName: "remember",
		Description: "Remembers something of this person for later conversations, such as a preferred language or a usual order. A second note with the same key " +
			"replaces the first; an empty text forgets it. Never remember passwords, codes, card numbers or anything about health.",
		Category: "memory",
		Kind:     ToolBuiltin,
		Access:   AccessWrite,
		Parameters: json.RawMessage(`{"type":"object","properties":{"key":{"type":"string","minLength":1,"maxLength":60,` +
			`"description":"A short name of what it is about, such as preferred_language."},` +
			`"text":{"type":"string","maxLength":500,"description":"What to remember, in one or two sentences. Empty: forget the note."}},` +
			`"required":["key","text"],"additionalProperties":false}`),
	},
	{
		ID:           ToolWebSearch,
		Name:         "Web Search", // the seed's own words
		FunctionName: ToolWebSearch,
		Description:  "Search the web for information. It gives titles, addresses and short extracts. Use it for what is recent or not in your instructions, and say where an answer comes from.",
		Category:     "information",
		Kind:         ToolBuiltin,
		Access:       AccessRead,
		Parameters: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string","minLength":1,"maxLength":400,` +
			`"description":"What to search for, as one would type it into a search engine."}},"required":["query"],"additionalProperties":false}`),
	},
}
