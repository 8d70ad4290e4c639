package spoken

import (
	"strconv"
	"strings"
)

// The words for numbers are generated: 0 to 999, and the years 1900 to 2099 where they are said as one number.

func english(n int) []string {
	ones := strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
	tens := strings.Fields("_ _ twenty thirty forty fifty sixty seventy eighty ninety")
	switch {
	case n == 0:
		return []string{"zero", "oh", "nought", "naught", "nil"}
	case n < 20:
		return ones[n : n+1]
	case n < 100:
		return joined(tens[n/10], n%10, english, " ")
	case n < 1000 && n%100 == 0:
		return []string{ones[n/100] + " hundred"}
	case n < 1000: // "eight hundred five" is rather 800, 5
		out := joined(ones[n/100]+" hundred", n%100, english, " and ")
		if n%100 >= 10 {
			out = append(out, joined(ones[n/100]+" hundred", n%100, english, " ")...)
		}
		return out
	case n >= 2000:
		return append(joined("two thousand", n%100, english, " "), joined("two thousand", n%100, english, " and ")...)
	}
	return nil // nineteen eighty four
}

func german(n int) []string {
	ones := strings.Fields("null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn")
	tens := strings.Fields("_ _ zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
	switch {
	case n == 1:
		return []string{"eins"}
	case n == 2:
		return []string{"zwei", "zwo"}
	case n < 20:
		return ones[n : n+1]
	case n < 100 && n%10 == 0:
		return tens[n/10 : n/10+1]
	case n < 100 && n%10 == 2:
		return []string{"zweiund" + tens[n/10], "zwound" + tens[n/10], "zwei und " + tens[n/10]}
	case n < 100:
		return []string{ones[n%10] + "und" + tens[n/10], ones[n%10] + " und " + tens[n/10]}
	case n < 200:
		return append(joined("hundert", n%100, german, ""), joined("einhundert", n%100, german, "")...)
	case n < 1000:
		return joined(ones[n/100]+"hundert", n%100, german, "")
	case n < 2000:
		return joined(ones[n/100]+"hundert", n%100, german, "")
	}
	return joined("zweitausend", n%100, german, "")
}

func spanish(n int) []string {
	ones := strings.Split("cero,uno,dos,tres,cuatro,cinco,seis,siete,ocho,nueve,diez,once,doce,trece,catorce,quince,dieciséis,diecisiete,dieciocho,diecinueve,veinte,"+
		"veintiuno,veintidós,veintitrés,veinticuatro,veinticinco,veintiséis,veintisiete,veintiocho,veintinueve", ",")
	tens := strings.Fields("_ _ _ treinta cuarenta cincuenta sesenta setenta ochenta noventa")
	hundreds := strings.Fields("_ ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos")
	switch {
	case n < 30:
		return ones[n : n+1]
	case n < 100:
		return joined(tens[n/10], n%10, spanish, " y ")
	case n == 100:
		return []string{"cien"}
	case n < 1000:
		return joined(hundreds[n/100], n%100, spanish, " ")
	case n < 2000:
		return joined("mil "+hundreds[n%1000/100], n%100, spanish, " ")
	}
	return joined("dos mil", n%100, spanish, " ")
}

func french(n int) []string {
	ones := strings.Split("zéro,un,deux,trois,quatre,cinq,six,sept,huit,neuf,dix,onze,douze,treize,quatorze,quinze,seize,dix sept,dix huit,dix neuf", ",")
	tens := strings.Split("_,_,vingt,trente,quarante,cinquante,soixante,soixante,quatre vingt,quatre vingt", ",")
	swiss := map[int]string{7: "septante", 8: "huitante", 9: "nonante"}
	switch {
	case n < 20:
		return ones[n : n+1]
	case n < 100:
		t, rest := n/10, n%10
		if t == 7 || t == 9 {
			rest += 10
		}
		out := joined(tens[t], rest, french, " ")
		if n == 80 {
			out = append(out, "quatre vingts")
		}
		if rest == 1 || rest == 11 {
			out = append(out, tens[t]+" et "+ones[rest])
		}
		if s, ok := swiss[t]; ok {
			out = append(out, joined(s, n%10, french, " ")...)
			if n%10 == 1 {
				out = append(out, s+" et un")
			}
		}
		return out
	case n < 200:
		return joined("cent", n%100, french, " ")
	case n < 1000:
		return append(joined(ones[n/100]+" cent", n%100, french, " "), joined(ones[n/100]+" cents", n%100, french, " ")...)
	case n < 2000:
		return append(joined("mille neuf cent", n%100, french, " "), joined("dix neuf cent", n%100, french, " ")...)
	}
	return joined("deux mille", n%100, french, " ")
}

func finnish(n int) []string {
	ones := strings.Fields("nolla yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan yhdeksän")
	casual := strings.Fields("nolla yks kaks kol nelj viis kuus seittemän kaheksan yheksän")
	switch {
	case n < 10:
		return []string{ones[n], casual[n]}
	case n == 10:
		return []string{"kymmenen", "kymppi"}
	case n < 20:
		return []string{ones[n-10] + "toista", casual[n-10] + "toista"}
	case n < 100:
		return joined(ones[n/10]+"kymmentä", n%10, finnish, "") // written apart, they are two numbers
	case n < 200:
		return append(joined("sata", n%100, finnish, ""), joined("sata", n%100, finnish, " ")...)
	case n < 1000:
		return append(joined(ones[n/100]+"sataa", n%100, finnish, ""), joined(ones[n/100]+"sataa", n%100, finnish, " ")...)
	case n < 2000:
		return append(joined("tuhat yhdeksänsataa", n%100, finnish, ""), append(joined("tuhatyhdeksänsataa", n%100, finnish, ""), joined("tuhat yhdeksänsataa", n%100, finnish, " ")...)...)
	}
	return append(joined("kaksituhatta", n%100, finnish, ""), joined("kaksituhatta", n%100, finnish, " ")...)
}

// joined is a number's word with what follows it, if anything does.
func joined(word string, rest int, say func(int) []string, between string) (out []string) {
	if rest == 0 {
		return []string{word}
	}
	for _, r := range say(rest) {
		out = append(out, word+between+r)
	}
	return out
}

// numberPhrases are all phrases of a language for numbers, folded, with their digits.
func numberPhrases(say func(int) []string) map[string]string {
	phrases := make(map[string]string, 2_000)
	add := func(n int) {
		for _, p := range say(n) {
			if _, taken := phrases[fold(p)]; !taken {
				phrases[fold(p)] = strconv.Itoa(n)
			}
		}
	}
	for n := range 1_000 {
		add(n)
	}
	for n := 1_900; n < 2_100; n++ {
		add(n)
	}
	return phrases
}

// ordinalPhrases are those of the days of a month.
func ordinalPhrases(list string, more func(n int) []string) map[string]string {
	phrases := map[string]string{}
	for i, p := range strings.Split(list, ",") {
		phrases[fold(p)] = strconv.Itoa(i + 1)
	}
	for n := 1; more != nil && n <= 31; n++ {
		for _, p := range more(n) {
			phrases[fold(p)] = strconv.Itoa(n)
		}
	}
	return phrases
}

func germanOrdinals(n int) (out []string) {
	stem := ""
	switch {
	case n == 1:
		stem = "erst"
	case n == 3:
		stem = "dritt"
	case n == 7:
		stem = "siebt"
	case n == 8:
		stem = "acht"
	case n < 20:
		stem = german(n)[0] + "t"
	default:
		stem = german(n)[0] + "st"
	}
	for _, end := range []string{"e", "er", "en", "es"} {
		out = append(out, stem+end)
	}
	return out
}

func finnishOrdinals(n int) []string {
	first := strings.Fields("_ ensimmäinen toinen kolmas neljäs viides kuudes seitsemäs kahdeksas yhdeksäs kymmenes")
	inner := strings.Fields("_ yhdes kahdes kolmas neljäs viides kuudes seitsemäs kahdeksas yhdeksäs")
	switch {
	case n <= 10:
		return first[n : n+1]
	case n < 20:
		return []string{inner[n-10] + "toista"}
	case n%10 == 0:
		return []string{inner[n/10] + "kymmenes"}
	}
	return []string{inner[n/10] + "kymmenes" + first[n%10], inner[n/10] + "kymmenes" + inner[n%10], inner[n/10] + "kymmenes " + first[n%10]}
}
