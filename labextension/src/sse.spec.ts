import { EventDecoder } from './sse';

const STREAM = ': hello\n\nevent: line\ndata: {"a": 1}\n\nevent: state\r\ndata: one\r\ndata:two\r\n\r\ndata: plain\n\nevent: lost\n\ndata: not ended';
const EVENTS = [
  { event: 'line', data: '{"a": 1}' },
  { event: 'state', data: 'one\ntwo' },
  { event: 'message', data: 'plain' }
];

describe('EventDecoder', () => {
  it('reads events, comments and several lines of data', () => {
    expect(new EventDecoder().feed(STREAM)).toEqual(EVENTS);
  });

  it.each([1, 2, 3, 7, 20])('does not depend on pieces of %d characters', size => {
    const decoder = new EventDecoder();
    const found = [];
    for (let start = 0; start < STREAM.length; start += size) {
      found.push(...decoder.feed(STREAM.slice(start, start + size)));
    }
    expect(found).toEqual(EVENTS);
  });
});
