package parley

// WebSearch is where an organization's agents search the web. The key is sealed at rest and never shown.
type WebSearch struct {
	Provider SearchProvider // "" = they cannot
	URL      string         // "" = the provider's own
	APIKey   string
}

// SearchProvider is whose protocol a search service speaks.
type SearchProvider string

// The providers.
const (
	SearchSearXNG SearchProvider = "searxng"
	SearchBrave   SearchProvider = "brave"
	SearchTavily  SearchProvider = "tavily"
)

// ToolWebSearch is the slug of the tool, which only organizations with a search service have.
const ToolWebSearch = "web_search"

// DefaultURL is the address of a provider; "" for SearXNG, which everybody runs themselves.
func (p SearchProvider) DefaultURL() string {
	switch p {
	case SearchBrave:
		return "https://api.search.brave.com/res/v1/web/search"
	case SearchTavily:
		return "https://api.tavily.com/search"
	}
	return ""
}

// Address is where the searches go.
func (w WebSearch) Address() string {
	if w.URL != "" {
		return w.URL
	}
	return w.Provider.DefaultURL()
}

// Apply reads the settings of a PATCH request. Another provider begins anew: an address or a key of the former one
// must not go to it.
func (w WebSearch) Apply(in *Input) WebSearch {
	defer in.Unknown()
	if in.Null("provider") {
		for _, name := range []string{"provider", "url", "apiKey"} {
			if in.Skip(name); name != "provider" && in.Has(name) && !in.Null(name) {
				in.Fail(name, "does not go without a provider.")
			}
		}
		return WebSearch{}
	}
	before := w.Provider
	provider := string(w.Provider)
	in.Enum("provider", &provider, string(SearchSearXNG), string(SearchBrave), string(SearchTavily))
	if w.Provider = SearchProvider(provider); before != w.Provider {
		w.URL, w.APIKey = "", ""
	}
	address := w.URL
	if in.Null("url") {
		in.Skip("url")
		w.URL = ""
	} else if in.Text("url", &w.URL, 1, MaxWebAddress); in.Has("url") && w.URL != "" && !isWebAddress(w.URL) {
		in.Fail("url", "must be an address such as https://search.example.com/search.")
	}
	if w.URL != address && before == w.Provider { // a key must not go to an address that it was not given for
		w.APIKey = ""
	}
	in.secret("apiKey", &w.APIKey)
	switch {
	case w == WebSearch{}: // nothing was there, and nothing was sent
	case w.Provider == "":
		in.Fail("provider", "is required: searxng, brave or tavily.")
	case w.Provider == SearchSearXNG && w.URL == "":
		in.Fail("url", "is required for searxng: the address of its search, such as https://search.example.com/search.")
	case w.Provider != SearchSearXNG && w.APIKey == "":
		in.Fail("apiKey", "is required for "+provider+", and again when the address changes.")
	}
	return w
}
