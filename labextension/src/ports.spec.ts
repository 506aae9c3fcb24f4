import type { TranslationBundle } from '@jupyterlab/translation';

import type { PortOwner } from './api';
import {
  addHidden,
  findNew,
  hiddenBecause,
  IKnownPort,
  INames,
  InternalPorts,
  matches,
  ownerName,
  parseRange,
  parseRanges,
  QUIET,
  removeHidden
} from './ports';

const trans = {
  __: (text: string, ...values: unknown[]) => text.replace(/%(\d)/g, (_, index) => String(values[Number(index) - 1]))
} as unknown as TranslationBundle;

const names: INames = {
  kernel: name => (name === 'python3' ? 'Python 3' : name),
  server: name => (name === 'app' ? 'My app' : name)
};

const kernel: PortOwner = { kind: 'kernel', id: 'k', name: 'python3', notebook: 'work/analysis.ipynb' };
const terminal: PortOwner = { kind: 'terminal', name: '1' };

function makePort(port: number, owner: PortOwner | null = kernel, more: Partial<IKnownPort> = {}): IKnownPort {
  return {
    port,
    owner,
    addresses: ['127.0.0.1'],
    pid: 10000 + port,
    process: 'python',
    command: 'python -m http.server',
    started: '2026-01-01T00:00:00Z',
    url: `/proxy/${port}/`,
    internal: false,
    ...more
  };
}

describe('parseRange', () => {
  it.each([
    ['8050', 8050, 8050],
    [' 9000 - 9010 ', 9000, 9010],
    ['9010-9000', 9000, 9010],
    ['9000–9010', 9000, 9010],
    ['1-65535', 1, 65535]
  ])('reads %p', (text, first, last) => {
    expect(parseRange(text)).toEqual({ first, last });
  });

  it.each(['', '0', '0-10', '65536', '80-65536', '-5', '80-', '8O80', '80,81', '1-2-3', '123456'])(
    'does not read %p',
    text => {
      expect(parseRange(text)).toBeNull();
    }
  );

  it('leaves out of a list what is no range', () => {
    expect(parseRanges(['80', 'http', '90-91'])).toEqual([
      { first: 80, last: 80 },
      { first: 90, last: 91 }
    ]);
  });
});

describe('the list of hidden ports', () => {
  it('takes a port once', () => {
    expect(addHidden([], 80)).toEqual(['80']);
    expect(addHidden(['80'], 80)).toEqual(['80']);
    expect(addHidden(['70-90'], 80)).toEqual(['70-90']);
  });

  it('is not changed itself', () => {
    const list: readonly string[] = Object.freeze(['70-90']);
    addHidden(list, 100);
    removeHidden(list, 80);
    expect(list).toEqual(['70-90']);
  });

  it.each([
    [['80', '81'], ['81']],
    [['70-90'], ['70-79', '81-90']],
    [['80-90'], ['81-90']],
    [['79-80'], ['79']],
    [['80', '80-81', 'nonsense'], ['81', 'nonsense']]
  ])('%p loses port 80', (list, expected) => {
    expect(removeHidden(list, 80)).toEqual(expected);
  });
});

describe('hiddenBecause', () => {
  it('hides what is listed', () => {
    const ranges = parseRanges(['8000-8010']);
    expect(hiddenBecause(makePort(8010), ranges, false)).toBe('listed');
    expect(hiddenBecause(makePort(8011), ranges, false)).toBeNull();
  });

  it('hides internal ones unless they are wanted', () => {
    const port = makePort(8888, kernel, { internal: true });
    expect(hiddenBecause(port, [], false)).toBe('internal');
    expect(hiddenBecause(port, [], true)).toBeNull();
    expect(hiddenBecause(port, parseRanges(['8888']), true)).toBe('listed');
  });
});

describe('InternalPorts', () => {
  const own = { pid: 1, command: '/env/bin/python -m ipykernel_launcher -f /run/kernel.json' };
  const internal = (known: InternalPorts, ...ports: IKnownPort[]): number[] =>
    known
      .mark(ports)
      .filter(port => port.internal)
      .map(({ port }) => port);

  it("knows Jupyter's own", () => {
    const ports = [makePort(1, { kind: 'jupyter' }), makePort(2, null), makePort(3, { kind: 'server', name: 'app' })];
    expect(internal(new InternalPorts(), ...ports)).toEqual([1]);
  });

  it('knows the debugger of a kernel, not that of somebody else', () => {
    const command = '/env/bin/python /env/lib/debugpy/adapter --for-server 40001';
    const ports = [makePort(40002, kernel, { command }), makePort(40003, terminal, { command })];
    expect(internal(new InternalPorts(), ...ports)).toEqual([40002]);
  });

  it('takes the first arbitrary port of a kernel, and none that comes later', () => {
    const known = new InternalPorts();
    expect(internal(known, makePort(8050, kernel, own), makePort(45000, kernel, own))).toEqual([45000]);
    expect(internal(known, makePort(40000, kernel, own), makePort(45000, kernel, own))).toEqual([45000]);
  });

  it('takes none where it cannot tell', () => {
    expect(internal(new InternalPorts(), makePort(40000, kernel, own), makePort(45000, kernel, own))).toEqual([]);
  });

  it('takes none of what a kernel has started or forked', () => {
    const forked = makePort(50000, kernel, { ...own, pid: 2, started: '2026-01-01T00:00:09Z' });
    const ports = [makePort(40000, kernel), makePort(45000, kernel, own), forked];
    expect(internal(new InternalPorts(), ...ports)).toEqual([45000]);
  });

  it('forgets a kernel that was started anew', () => {
    const known = new InternalPorts();
    expect(internal(known, makePort(45000, kernel, own))).toEqual([45000]);
    expect(internal(known, makePort(46000, kernel, { ...own, pid: 5 }))).toEqual([46000]);
  });
});

describe('ownerName', () => {
  it.each<[PortOwner | null, string]>([
    [kernel, 'analysis.ipynb'],
    [{ ...kernel, notebook: 'top.ipynb' }, 'top.ipynb'],
    [{ ...kernel, notebook: null }, 'Kernel Python 3'],
    [terminal, 'Terminal 1'],
    [{ kind: 'server', name: 'app' }, 'My app'],
    [{ kind: 'jupyter' }, 'Jupyter'],
    [null, 'Other']
  ])('of %p', (owner, name) => {
    expect(ownerName(owner, names, trans)).toBe(name);
  });
});

describe('matches', () => {
  it.each(['', '  ', '80', 'PYTHON', 'http.server', 'Analysis', 'work/', '8050 analysis'])('finds by %p', filter => {
    expect(matches(makePort(8050), 'analysis.ipynb', filter)).toBe(true);
  });

  it.each(['81', 'ruby', '8050 ruby'])('does not find by %p', filter => {
    expect(matches(makePort(8050), 'analysis.ipynb', filter)).toBe(false);
  });
});

describe('findNew', () => {
  const never = (): number => 0;
  const numbers = (ports: IKnownPort[]): number[] => ports.map(({ port }) => port);

  it('tells nothing at the first look', () => {
    expect(findNew(null, [makePort(8000)], [], never, 0)).toEqual([]);
  });

  it('tells what kernels and terminals opened since then', () => {
    const now = [makePort(8000), makePort(8001), makePort(8002, terminal)];
    expect(numbers(findNew(new Set([8000]), now, [], never, 0))).toEqual([8001, 8002]);
  });

  it('does not tell of servers, of Jupyter, of others', () => {
    const now = [makePort(1, { kind: 'server', name: 'app' }), makePort(2, { kind: 'jupyter' }), makePort(3, null)];
    expect(findNew(new Set(), now, [], never, 0)).toEqual([]);
  });

  it('does not tell of hidden and internal ones', () => {
    const now = [makePort(8000), makePort(50000, kernel, { internal: true })];
    expect(findNew(new Set(), now, parseRanges(['8000']), never, 0)).toEqual([]);
  });

  it('tells once of a port on which several processes listen', () => {
    const now = [makePort(8000, kernel, { pid: 1 }), makePort(8000, kernel, { pid: 2 })];
    expect(findNew(new Set(), now, [], never, 0)).toEqual([now[0]]);
  });

  it('tells once in an hour of a port that comes and goes', () => {
    const announced = 1_000_000;
    const find = (time: number): IKnownPort[] => findNew(new Set(), [makePort(8000)], [], () => announced, time);
    expect(find(announced + QUIET - 1)).toEqual([]);
    expect(numbers(find(announced + QUIET))).toEqual([8000]);
  });

  it('is not silent for long where the clock was put back', () => {
    const announced = 10 * QUIET;
    expect(numbers(findNew(new Set(), [makePort(8000)], [], () => announced, announced - 2 * QUIET))).toEqual([8000]);
  });
});
