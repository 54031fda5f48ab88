/** Characters that take two columns. @see Unicode 16.0 EastAsianWidth.txt, W and F, and emoji-data.txt, Emoji_Presentation */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18fff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u

/** Marks are above the character before them. */
const mark = /[\p{Mn}\p{Me}]/u
/** Makes an emoji of the character before it, which is then wider on some terminals. */
const emojiSelector = '\ufe0f'

/** How many columns a text takes on a terminal, at most: all in it is printable, and in one line. */
export function columnsOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length
  let columns = 0
  for (const character of text) columns += columnsOfCharacter(character)
  return columns
}

function columnsOfCharacter(character: string): number {
  if (wide.test(character)) return 2
  return mark.test(character) && character !== emojiSelector ? 0 : 1
}

/** As much of the beginning of a text as these columns hold. */
export function beginningWithin(text: string, columns: number): string {
  let taken = 0
  let beginning = ''
  for (const character of text) {
    taken += columnsOfCharacter(character)
    if (taken > columns) break
    beginning += character
  }
  return beginning
}

/** As much of the end of a text as these columns hold; it begins with no mark. */
export function endWithin(text: string, columns: number): string {
  let taken = 0
  let end = ''
  for (const character of [...text].reverse()) {
    taken += columnsOfCharacter(character)
    if (taken > columns) break
    end = character + end
  }
  return end.replace(/^[\p{Mn}\p{Me}]+/u, '')
}
