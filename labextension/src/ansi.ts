// Output for terminals as pieces of text with classes: the sixteen colours, and bold, dim, italic and underlined text
// (ECMA-48 8.3.117). All other sequences are left out.

export interface IPiece {
  text: string;
  /** Names of classes, without a prefix: "fg1", "bg4", "bold". */
  classes: string[];
}

// eslint-disable-next-line no-control-regex
const SEQUENCE = /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?/g;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

const STYLES: { [code: number]: string } = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline' };
const ENDS: { [code: number]: string[] } = { 22: ['bold', 'dim'], 23: ['italic'], 24: ['underline'] };

/** One line; what was overwritten after a carriage return is left out. */
export function parseLine(line: string): IPiece[] {
  const shown = line.replace(/\r+$/, '');
  const text = shown.slice(shown.lastIndexOf('\r') + 1);
  const style = new Map<string, string>();
  const pieces: IPiece[] = [];
  let position = 0;
  const take = (end: number): void => {
    const piece = text.slice(position, end).replace(CONTROL, '');
    if (piece) {
      pieces.push({ text: piece, classes: [...style.values()] });
    }
  };
  for (const match of text.matchAll(SEQUENCE)) {
    take(match.index ?? 0);
    position = (match.index ?? 0) + match[0].length;
    if (match[1] !== undefined) {
      apply(match[1], style);
    }
  }
  take(text.length);
  return pieces;
}

function apply(parameters: string, style: Map<string, string>): void {
  const codes = parameters.split(/[;:]/).map(code => Number(code || 0));
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index];
    if (code === 0) {
      style.clear();
    } else if (code in STYLES) {
      style.set(STYLES[code], STYLES[code]);
    } else if (code in ENDS) {
      ENDS[code].forEach(name => style.delete(name));
    } else if (code === 39 || code === 49) {
      style.delete(code === 39 ? 'fg' : 'bg');
    } else if (code === 38 || code === 48) {
      // A colour by number, or by its parts: those beyond the sixteen are left out.
      if (codes[index + 1] === 5 && codes[index + 2] < 16) {
        paint(style, code === 38 ? 'fg' : 'bg', codes[index + 2]);
      }
      index += codes[index + 1] === 5 ? 2 : 4;
    } else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
      paint(style, 'fg', code < 90 ? code - 30 : code - 82);
    } else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) {
      paint(style, 'bg', code < 100 ? code - 40 : code - 92);
    }
  }
}

function paint(style: Map<string, string>, plane: 'fg' | 'bg', colour: number): void {
  style.set(plane, `${plane}${colour % 8}`);
}
