package spoken

import "strings"

// The spelling alphabets, a word for each letter: what is said for it when a value is read back.
var (
	nato = alphabetOf("abcdefghijklmnopqrstuvwxyz", "Alpha Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November Oscar Papa Quebec Romeo Sierra "+
		"Tango Uniform Victor Whiskey X-ray Yankee Zulu")
	dinNames = alphabetOf("abcdefghijklmnopqrstuvwxyzäöüß", "Anton Berta Cäsar Dora Emil Friedrich Gustav Heinrich Ida Julius Kaufmann Ludwig Martha Nordpol Otto Paula Quelle Richard Samuel "+
		"Theodor Ulrich Viktor Wilhelm Xanthippe Ypsilon Zacharias Ärger Ökonom Übermut Eszett")
	spain = alphabetOf("abcdefghijklmnñopqrstuvwxyz", "Antonio Barcelona Carmen Dolores Enrique Francia Gerona Historia Inés José Kilo Lorenzo Madrid Navarra Ñoño Oviedo París Querido Ramón "+
		"Sábado Tarragona Ulises Valencia Washington Xilófono Yegua Zaragoza")
	france = alphabetOf("abcdefghijklmnopqrstuvwxyz", "Anatole Berthe Célestin Désiré Eugène François Gaston Henri Irma Joseph Kléber Louis Marcel Nicolas Oscar Pierre Quintal Raoul Suzanne "+
		"Thérèse Ursule Victor William Xavier Yvonne Zoé")
	finland = alphabetOf("abcdefghijklmnopqrstuvwxyzåäö", "Aarne Bertta Celsius Daavid Eemeli Faarao Gideon Heikki Iivari Jussi Kalle Lauri Matti Niilo Otto Paavo Kuu Risto Sakari Tyyne Urho "+
		"Vihtori Wiski Äksä Yrjö Tseta Åke Äiti Öljy")
)

// otherWords are words for letters beyond those that are read back: other spellings and other alphabets.
const otherWords = "a:alfa,j:juliet,j:juliette,w:whisky,x:xray,x:x ray,x:x-ray,y:yankee," +
	"c:caesar,ch:charlotte,k:konrad,o:oekonom,u:uebermut,sch:schule,s:siegfried,t:theo,u:uli,v:victor,z:zeppelin,z:zürich," +
	"a:aachen,b:berlin,c:chemnitz,d:düsseldorf,e:essen,f:frankfurt,g:goslar,h:hamburg,i:ingelheim,j:jena,k:köln,l:leipzig,m:münchen,n:nürnberg,o:offenbach,p:potsdam," +
	"q:quickborn,r:rostock,s:salzwedel,t:tübingen,u:unna,v:völklingen,w:wuppertal,x:xanten,z:zwickau,ß:scharfes s," +
	"d:domingo,f:federico,g:granada,h:huelva,i:italia,j:jaén,m:málaga,p:pamplona,s:sevilla,t:toledo,u:uruguay,v:vitoria," +
	"a:aaro,e:eeva,r:riikka,t:toivo,v:vilho"

// alphabetWords are the words of all alphabets, folded. One that stands alone may be a name or a place: it counts as a
// letter only among others.
var alphabetWords = func() map[string]string {
	words := map[string]string{}
	for _, list := range []map[rune]string{finland, france, spain, dinNames, nato} {
		for letter, word := range list {
			words[fold(word)] = string(letter)
		}
	}
	for _, entry := range strings.Split(otherWords, ",") {
		letter, word, _ := strings.Cut(entry, ":")
		words[fold(word)] = letter
	}
	return words
}()

func alphabetOf(letters, words string) map[rune]string {
	m := map[rune]string{}
	for i, word := range strings.Fields(words) {
		m[[]rune(letters)[i]] = word
	}
	return m
}
