import { describeBytes, describeDuration } from './format';

describe('describeDuration', () => {
  it.each([
    [-5, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_599_000, '59 min'],
    [3_600_000, '1 h'],
    [90_000_000, '1 d']
  ])('%d ms are %s', (milliseconds, text) => {
    expect(describeDuration(milliseconds)).toBe(text);
  });
});

describe('describeBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [9_949_000, '9.9 MB'],
    [12_400_000, '12 MB'],
    [999_600_000, '1.0 GB']
  ])('%d are %s', (bytes, text) => {
    expect(describeBytes(bytes)).toBe(text);
  });
});
