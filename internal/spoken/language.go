package spoken

import (
	"slices"
	"strings"
	"sync"
)

// language is what one language calls letters, digits and signs. Phrases are folded, their words separated by a space.
type language struct {
	tag      string
	signs    map[string]string // how a sign is spoken
	symbols  map[string]string // phrase → sign
	repeats  map[string]int    // double t
	likeness []string          // between a letter and its example: as in
	weak     []string          // the same, if the example does begin with the letter
	skipped  []string          // say nothing about the value
	spelled  []string          // what follows spells the word before
	cases    []string          // of one letter
	names    map[string]string // of letters
	numbers  map[string]string
	ordinals map[string]string
	months   map[string]int
	alphabet map[rune]string
	region   string // of numbers without a country; "" = nobody can tell
	monthOf  []string
}

// pairs reads "phrase:meaning,…".
func pairs(list string) map[string]string {
	m := map[string]string{}
	for _, entry := range strings.Split(list, ",") {
		phrase, meaning, _ := strings.Cut(entry, ":")
		m[fold(phrase)] = meaning
	}
	return m
}

func phrases(list string) []string { return strings.Split(fold(list), ",") }

func months(list string) (byName map[string]int, names []string) {
	byName = map[string]int{}
	for i, entry := range strings.Split(list, ",") {
		all := strings.Split(entry, "|")
		names = append(names, all[0])
		for _, name := range all {
			byName[fold(name)] = i + 1
		}
	}
	return byName, names
}

// languages are made when the first value is read.
var languages = sync.OnceValue(func() map[string]*language {
	all := map[string]*language{}
	for _, l := range []*language{newEnglish(), newGerman(), newSpanish(), newFrench(), newFinnish()} {
		all[l.tag] = l
	}
	return all
})

func newEnglish() *language {
	l := &language{tag: "en", alphabet: nato, numbers: numberPhrases(english),
		signs:    map[string]string{"@": "at", ".": "dot", "_": "underscore", "-": "dash", "+": "plus", "/": "slash", "'": "apostrophe", "#": "hash", "&": "and sign"},
		symbols:  pairs("at:@,at sign:@,at symbol:@,dot:.,point:.,period:.,full stop:.,underscore:_,under score:_,dash:-,minus:-,hyphen:-,minus sign:-,plus:+,plus sign:+,slash:/,forward slash:/,apostrophe:',hash:#,ampersand:&"),
		repeats:  map[string]int{"double": 2, "triple": 3, "treble": 3, "twice": 2},
		likeness: phrases("as in,like in,like,is in"), weak: phrases("for,as,of"),
		skipped: phrases("my email address is,my e mail address is,my email is,the email is,the address is,my name is,the name is,my number is,the number is,my phone number is,it is,it s,its,that is,that s,this is,um,uh,er,yeah,yes,okay,ok,so,then,all one word,one word,all lower case,all lowercase,in lower case,in lowercase,no spaces,please"),
		spelled: phrases("spelled,spelt,that s spelled,which is spelled,spelling"),
		cases:   phrases("capital,upper case,uppercase,lower case,lowercase,small,big,letter,the letter"),
		names:   pairs("bee:b,cee:c,see:c,sea:c,dee:d,eff:f,ef:f,gee:g,aitch:h,haitch:h,jay:j,kay:k,ell:l,el:l,em:m,en:n,pee:p,cue:q,queue:q,ar:r,ess:s,es:s,tee:t,tea:t,vee:v,double u:w,double you:w,ex:x,why:y,zed:z,zee:z"),
		ordinals: ordinalPhrases("first,second,third,fourth,fifth,sixth,seventh,eighth,ninth,tenth,eleventh,twelfth,thirteenth,fourteenth,fifteenth,sixteenth,seventeenth,eighteenth,nineteenth,twentieth,"+
			"twenty first,twenty second,twenty third,twenty fourth,twenty fifth,twenty sixth,twenty seventh,twenty eighth,twenty ninth,thirtieth,thirty first", nil)}
	l.months, l.monthOf = months("January|Jan,February|Feb,March|Mar,April|Apr,May,June|Jun,July|Jul,August|Aug,September|Sept|Sep,October|Oct,November|Nov,December|Dec")
	return l
}

func newGerman() *language {
	l := &language{tag: "de", alphabet: dinNames, numbers: numberPhrases(german), region: "DE",
		signs:    map[string]string{"@": "ät", ".": "Punkt", "_": "Unterstrich", "-": "Minus", "+": "Plus", "/": "Schrägstrich", "'": "Apostroph", "#": "Raute", "&": "Und-Zeichen"},
		symbols:  pairs("ät:@,at:@,ätt:@,klammeraffe:@,at zeichen:@,ät zeichen:@,punkt:.,dot:.,unterstrich:_,underscore:_,tiefstrich:_,minus:-,bindestrich:-,strich:-,mittelstrich:-,gedankenstrich:-,plus:+,schrägstrich:/,slash:/,apostroph:',raute:#"),
		repeats:  map[string]int{"doppel": 2, "doppeltes": 2, "zweimal": 2, "zwei mal": 2, "dreimal": 3, "drei mal": 3, "dreifach": 3},
		likeness: phrases("wie,wie in,wie bei"), weak: phrases("von,für"),
		skipped:  phrases("meine e mail adresse ist,meine email adresse ist,meine e mail ist,meine mail ist,meine email ist,mein name ist,ich heiße,meine nummer ist,die nummer ist,meine telefonnummer ist,das ist,ähm,äh,also,ja,und dann,dann,alles klein,alles kleingeschrieben,kleingeschrieben,klein geschrieben,alles zusammen,zusammengeschrieben,zusammen,alles in einem wort,bitte"),
		spelled:  phrases("buchstabiert,geschrieben,das schreibt sich,schreibt sich,ich buchstabiere"),
		cases:    phrases("groß,großes,großer,klein,kleines,kleiner,buchstabe"),
		names:    pairs("be:b,ce:c,zeh:c,de:d,ef:f,ge:g,ha:h,jot:j,jott:j,ka:k,el:l,em:m,en:n,pe:p,ku:q,kuh:q,er:r,es:s,te:t,tee:t,vau:v,fau:v,we:w,weh:w,ix:x,ypsilon:y,zet:z,zett:z,eszett:ß,scharfes s:ß,scharfes es:ß,a umlaut:ä,o umlaut:ö,u umlaut:ü,umlaut a:ä,umlaut o:ö,umlaut u:ü"),
		ordinals: ordinalPhrases("erster", germanOrdinals)}
	l.months, l.monthOf = months("Januar|Jänner|Jan,Februar|Feber|Feb,März|Mrz,April|Apr,Mai,Juni|Juno|Jun,Juli|Julei|Jul,August|Aug,September|Sept|Sep,Oktober|Okt,November|Nov,Dezember|Dez")
	return l
}

func newSpanish() *language {
	l := &language{tag: "es", alphabet: spain, numbers: numberPhrases(spanish), region: "ES",
		signs:    map[string]string{"@": "arroba", ".": "punto", "_": "guion bajo", "-": "guion", "+": "más", "/": "barra", "'": "apóstrofo", "#": "almohadilla", "&": "y comercial"},
		symbols:  pairs("arroba:@,punto:.,guion bajo:_,raya baja:_,barra baja:_,subrayado:_,guion:-,guion medio:-,menos:-,raya:-,más:+,barra:/,apóstrofo:',almohadilla:#"),
		repeats:  map[string]int{"doble": 2, "triple": 3},
		likeness: phrases("como,como en"), weak: phrases("de"),
		skipped:  phrases("mi correo es,mi correo electrónico es,mi email es,mi nombre es,me llamo,mi número es,mi teléfono es,es el,eh,pues,luego,todo junto,todo en minúsculas,en minúsculas,por favor,sí"),
		spelled:  phrases("se escribe,deletreado,se deletrea"),
		cases:    phrases("mayúscula,minúscula,letra,la letra"),
		names:    pairs("be:b,ce:c,de:d,efe:f,ge:g,hache:h,jota:j,ka:k,ele:l,elle:ll,eme:m,ene:n,eñe:ñ,pe:p,cu:q,erre:r,ere:r,ese:s,te:t,uve:v,ve:v,uve doble:w,doble uve:w,doble ve:w,doble u:w,equis:x,i griega:y,ye:y,zeta:z,a con acento:á,e con acento:é,i con acento:í,o con acento:ó,u con acento:ú"),
		ordinals: ordinalPhrases("primero", nil)}
	l.months, l.monthOf = months("enero,febrero,marzo,abril,mayo,junio,julio,agosto,septiembre|setiembre,octubre,noviembre,diciembre")
	return l
}

func newFrench() *language {
	l := &language{tag: "fr", alphabet: france, numbers: numberPhrases(french), region: "FR",
		signs:    map[string]string{"@": "arobase", ".": "point", "_": "tiret bas", "-": "tiret", "+": "plus", "/": "barre oblique", "'": "apostrophe", "#": "dièse", "&": "esperluette"},
		symbols:  pairs("arobase:@,arrobase:@,arobas:@,at:@,point:.,tiret bas:_,tiret du huit:_,tiret du 8:_,underscore:_,souligné:_,tiret:-,tiret du six:-,tiret du 6:-,trait d union:-,tiret haut:-,moins:-,plus:+,slash:/,barre oblique:/,apostrophe:',dièse:#"),
		repeats:  map[string]int{"double": 2, "triple": 3, "deux fois": 2},
		likeness: phrases("comme,comme dans"), weak: phrases("de"),
		skipped:  phrases("mon adresse est,mon e mail est,mon email est,mon mail est,mon nom est,je m appelle,mon numéro est,c est,euh,alors,ensuite,puis,tout attaché,en un mot,tout en minuscules,en minuscules,en minuscule,s il vous plaît,oui"),
		spelled:  phrases("ça s écrit,s écrit,j épelle,qui s écrit"),
		cases:    phrases("majuscule,minuscule,lettre,la lettre"),
		names:    pairs("bé:b,cé:c,dé:d,effe:f,gé:g,hache:h,ji:j,elle:l,aime:m,haine:n,pé:p,erre:r,esse:s,té:t,vé:v,double v:w,double vé:w,ixe:x,i grec:y,zède:z,c cédille:ç,cé cédille:ç,e accent aigu:é,e accent grave:è,a accent grave:à,u accent grave:ù,e accent circonflexe:ê,a accent circonflexe:â,o accent circonflexe:ô,i accent circonflexe:î,u accent circonflexe:û,e tréma:ë,i tréma:ï"),
		ordinals: ordinalPhrases("premier", nil)}
	l.months, l.monthOf = months("janvier,février,mars,avril,mai,juin,juillet,août,septembre,octobre,novembre,décembre")
	return l
}

func newFinnish() *language {
	l := &language{tag: "fi", alphabet: finland, numbers: numberPhrases(finnish), region: "FI",
		signs:    map[string]string{"@": "ät", ".": "piste", "_": "alaviiva", "-": "viiva", "+": "plus", "/": "kauttaviiva", "'": "heittomerkki", "#": "risuaita", "&": "ja-merkki"},
		symbols:  pairs("ät:@,at:@,ätmerkki:@,ät merkki:@,at merkki:@,miukumauku:@,kissanhäntä:@,piste:.,alaviiva:_,viiva:-,väliviiva:-,yhdysviiva:-,tavuviiva:-,miinus:-,plus:+,plussa:+,kauttaviiva:/,heittomerkki:',risuaita:#"),
		repeats:  map[string]int{"kaksois": 2, "tupla": 2, "kaksi kertaa": 2, "kolme kertaa": 3, "tripla": 3},
		likeness: phrases("niin kuin,niinku,kuten,kuin"), weak: phrases("kuni"),
		skipped:  phrases("sähköpostini on,sähköpostiosoitteeni on,osoite on,nimeni on,minun nimeni on,numeroni on,puhelinnumeroni on,se on,öö,siis,sitten,yhteen,kaikki yhteen,pienellä,kaikki pienellä,kiitos,joo"),
		spelled:  phrases("kirjoitetaan,tavataan,kirjaimin"),
		cases:    phrases("iso,pieni,kirjain"),
		names:    pairs("bee:b,see:c,dee:d,äf:f,äffä:f,gee:g,hoo:h,jii:j,koo:k,äl:l,ällä:l,äm:m,ämmä:m,än:n,ännä:n,pee:p,kuu:q,är:r,ärrä:r,äs:s,ässä:s,tee:t,vee:v,kaksois vee:w,tupla vee:w,äksä:x,tseta:z,ruotsalainen o:å"),
		ordinals: ordinalPhrases("eka,toka,kolmas", finnishOrdinals)}
	l.months, l.monthOf = months("tammikuuta|tammikuu|tammikuun,helmikuuta|helmikuu|helmikuun,maaliskuuta|maaliskuu|maaliskuun,huhtikuuta|huhtikuu|huhtikuun,toukokuuta|toukokuu|toukokuun,kesäkuuta|kesäkuu|kesäkuun," +
		"heinäkuuta|heinäkuu|heinäkuun,elokuuta|elokuu|elokuun,syyskuuta|syyskuu|syyskuun,lokakuuta|lokakuu|lokakuun,marraskuuta|marraskuu|marraskuun,joulukuuta|joulukuu|joulukuun")
	return l
}

// languageOf returns the language that was named, or the one with the most of its own words in what was heard;
// English when there are none.
func languageOf(tag string, tokens []token) *language {
	base, _, _ := strings.Cut(strings.ToLower(tag), "-")
	if l, ok := languages()[base]; ok {
		return l
	}
	best, most := languages()["en"], 0
	for _, tag := range Languages {
		l := languages()[tag]
		hits := 0
		for _, t := range tokens {
			if t.letter() {
				continue
			}
			_, number := l.numbers[t.key]
			_, symbol := l.symbols[t.key]
			_, month := l.months[t.key]
			_, repeat := l.repeats[t.key]
			_, ordinal := l.ordinals[t.key]
			if number || symbol || month || repeat || ordinal || slices.Contains(l.likeness, t.key) {
				hits++
			}
		}
		if hits > most {
			best, most = l, hits
		}
	}
	return best
}
