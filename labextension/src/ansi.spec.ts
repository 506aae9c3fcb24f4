import { parseLine } from './ansi';

describe('parseLine', () => {
  it.each<[string, [string, string][]]>([
    ['plain <b>', [['plain <b>', '']]],
    ['\x1b[31mred\x1b[0m plain', [['red', 'fg1'], [' plain', '']]],
    ['\x1b[1;92;44mx\x1b[22my', [['x', 'bold fg2 bg4'], ['y', 'fg2 bg4']]],
    ['\x1b[38;5;3mx\x1b[38;5;200my\x1b[38;2;1;2;3mz', [['x', 'fg3'], ['y', 'fg3'], ['z', 'fg3']]],
    ['10%\r50%\r100%', [['100%', '']]],
    ['done\r', [['done', '']]],
    ['\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07', [['link', '']]],
    ['\x1b[2K\x1b[?25la\x00b', [['ab', '']]],
    ['', []]
  ])('%j', (line, pieces) => {
    expect(parseLine(line).map(({ text, classes }) => [text, classes.join(' ')])).toEqual(pieces);
  });
});
