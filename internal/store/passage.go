package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"parley"
)

// FoundPassage is a passage that a search found, with what it is part of.
type FoundPassage struct {
	parley.Passage
	Document, URL string
}

// candidates are how many passages the database ranks for one that is wanted; among them those with more of the
// words asked for go first.
const candidates = 40

// SearchPassages returns the passages of an agent's documents that fit a query best, at most limit. Nothing in the
// query has a meaning but its words.
func (r *Reader) SearchPassages(ctx context.Context, orgID, agentID, query string, limit int) ([]FoundPassage, error) {
	terms := queryTerms(query)
	if len(terms) == 0 {
		return nil, nil
	}
	type hit struct {
		FoundPassage
		words string
	}
	q := `SELECT p.heading, p.text, d.name, d.url, p.words FROM ` + r.q.dialect.passages + ` JOIN document d ON d.org_id = p.org_id AND d.id = p.document_id
		WHERE ` + r.q.dialect.found + ` AND p.org_id = $2 AND d.agent_id = $3 ORDER BY ` + r.q.dialect.nearer + ` LIMIT $4`
	hits, err := list(ctx, r.q, func(s scanner) (h hit, err error) {
		err = s.Scan(&h.Heading, &h.Text, &h.Document, &h.URL, &h.words)
		return h, err
	}, q, r.q.dialect.match(agentScope(orgID, agentID), terms), orgID, agentID, int64(max(candidates, limit)))
	if err != nil {
		return nil, fmt.Errorf("searching documents: %w", err)
	}
	scope := agentScope(orgID, agentID)
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(covered(b.words, scope, terms), covered(a.words, scope, terms)) })
	out := make([]FoundPassage, 0, limit)
	for _, h := range hits[:min(limit, len(hits))] {
		out = append(out, h.FoundPassage)
	}
	return out, nil
}

// term is a word of a query: what it must begin with, which is less than the whole of a longer word, so that other
// forms of it are found.
type term struct {
	word, stem string
	prefix     bool // words that begin with stem are found, too
}

const maxTerms = 16 // of a query

// queryTerms returns the distinct words of a query, without the commonest ones where there are others.
func queryTerms(query string) (terms []term) {
	var common []term
	for _, w := range words(query) {
		t := term{word: w, stem: w}
		if n := utf8.RuneCountInString(w); n >= 4 {
			drop := 0 // the end that differs: price, prices; Öffnungszeit, Öffnungszeiten
			if n >= 6 {
				drop = 2
			} else if n == 5 {
				drop = 1
			}
			t.stem, t.prefix = string([]rune(w)[:n-drop]), true
		}
		switch {
		case slices.Contains(terms, t) || slices.Contains(common, t):
		case commonWords[w]:
			common = append(common, t)
		default:
			terms = append(terms, t)
		}
	}
	if len(terms) == 0 {
		terms = common
	}
	return terms[:min(len(terms), maxTerms)]
}

// covered counts the terms that a passage has; a whole word counts twice.
func covered(indexed, scope string, terms []term) (n int) {
	for _, t := range terms {
		if strings.Contains(" "+indexed+" ", " "+scope+t.word+" ") {
			n += 2
		} else if t.prefix && strings.Contains(" "+indexed, " "+scope+t.stem) {
			n++
		}
	}
	return n
}

// ftsMatch is a query of FTS5; its strings are quoted, so that nothing in them is its syntax.
func ftsMatch(scope string, terms []term) string {
	all := make([]string, 0, 2*len(terms))
	for _, t := range terms {
		all = append(all, `"`+scope+t.word+`"`)
		if t.prefix {
			all = append(all, `"`+scope+t.stem+`" *`)
		}
	}
	return strings.Join(all, " OR ")
}

// tsMatch is a query of PostgreSQL; words have letters and digits only.
func tsMatch(scope string, terms []term) string {
	all := make([]string, 0, 2*len(terms))
	for _, t := range terms {
		all = append(all, `'`+scope+t.word+`'`)
		if t.prefix {
			all = append(all, `'`+scope+t.stem+`':*`)
		}
	}
	return strings.Join(all, " | ")
}

// agentScope begins every indexed word of an agent. Two agents with the same one cost each other time only: every hit
// is checked.
func agentScope(orgID, agentID string) string {
	return "p" + strconv.FormatUint(hash(hash(fnvOffset, orgID), agentID), 36) + "q"
}

// indexWords are the words of a passage as the index has them.
func indexWords(orgID, agentID, text string) string {
	scope := agentScope(orgID, agentID)
	all := words(text)
	for i, w := range all {
		all[i] = scope + w
	}
	return strings.Join(all, " ")
}

const maxWord = 40 // code points; what is longer is no word that anybody looks for

// words splits text into folded words: case and accents do not matter. Of scripts that put no spaces between words,
// each character is one.
func words(text string) (out []string) {
	var b strings.Builder
	n := 0
	end := func() {
		if n > 0 {
			out = append(out, b.String())
		}
		b.Reset()
		n = 0
	}
	for _, c := range norm.NFKD.String(fold(text)) {
		switch {
		case unicode.Is(unicode.Mn, c):
		case unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
			end()
			out = append(out, string(c))
		case unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.Is(unicode.Mc, c):
			if n < maxWord {
				b.WriteRune(c)
			}
			n++
		default:
			end()
		}
	}
	end()
	return out
}

// commonWords say nothing about what is looked for.
var commonWords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range words(`a an and are as at be been but by can could do does for from had has have how i if in is it its me my no not of on or our
		please she so some than that the their them then there these they this to us was we were what when where which who why will with would you your
		aber als am an auch auf aus bei bin bis das dass dein dem den der des die doch du ein eine einem einen einer eines er es für habe haben hat ich ihr ihre im in ist
		ja kann kein können mein mich mir mit nach nicht noch nur oder sein sich sie sind so und uns unser von war was wann wenn wer werden wie wir wird wo zu zum zur über
		al como con cual cuando de del donde el ella en es esta este está hay la las le lo los me mi muy más no nos o para pero por que qué quien se si sin sobre son su sus te tiene un una y ya yo
		au aux avec ce ces cette comment dans des du elle est et il ils j je l la le les leur ma mais mes moi mon ne nous où ou par pas pour qu quand que quel quelle qui sa ses son sont sur ta te tu un une vos votre vous
		ei että he hän ja jos joka kuin kun me mikä milloin minä missä mitä mutta myös niin ne nyt olen oli on onko ovat se sekä sen sinä tai te tämä vai voi voinko`) {
		m[w] = true
	}
	return m
}()
