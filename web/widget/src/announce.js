// What a screen reader hears of an answer: each sentence once, when it is finished, and never faster than it can say.
const pace = 1000; // ms between two announcements

export const plainText = (markdown) => markdown
  .replace(/```\S*/g, '')
  .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
  .replace(/^\s*(#+|[-*+>]|\|?[-:| ]+\|?$)\s*/gm, '')
  .replace(/[*_`|~]+/g, ' ')
  .replace(/\s+/g, ' ')
  .trim();

export class Announcer {
  _said = 0;
  _queue = '';

  constructor(say) { this._say = say; }

  // read takes the text of an answer so far, and whether it is complete.
  read(text, whole) {
    if (text.length < this._said) this._said = 0;
    const rest = text.slice(this._said);
    const end = whole ? rest.length : Math.max(...['. ', '! ', '? ', '.\n', '!\n', '?\n', ':\n', '\n\n', '。', '！', '？'].map((s) => rest.lastIndexOf(s) + s.length * (rest.lastIndexOf(s) >= 0)));
    if (end > 0) {
      this.tell(plainText(rest.slice(0, end)));
      this._said += end;
    }
    if (whole) this._said = 0;
  }

  tell(words) {
    if (words) this._queue += (this._queue && ' ') + words;
    if (this._queue && !this._timer) {
      this._say(this._queue);
      this._queue = '';
      this._timer = setTimeout(() => { this._timer = 0; this.tell(); }, pace);
    }
  }

  stop() { clearTimeout(this._timer); this._queue = ''; }
}
