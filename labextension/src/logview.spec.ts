import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { Api, ILine } from './api';
import { LogView } from './logview';
import { IServerSentEvent } from './sse';

const BOLD = '\x1b[1m';

/** One connection after the other, and what comes on the present one. */
class Output {
  connections: AbortSignal[] = [];

  readonly api = {
    follow: (_name: string, _tail: number, signal: AbortSignal) => this.connect(signal)
  } as unknown as Api;

  write(...lines: Partial<ILine>[]): Promise<void> {
    for (const line of lines) {
      const number = line.number ?? this._number++;
      const whole: ILine = { number, run: 1, time: '2026-01-01T00:00:00Z', text: `line ${number}`, ...line };
      this._events.push({ event: 'line', data: JSON.stringify(whole) } as IServerSentEvent);
    }
    this._wake();
    return settle();
  }

  /** The connection ends. */
  cut(): Promise<void> {
    this._isCut = true;
    this._wake();
    return settle();
  }

  private async *connect(signal: AbortSignal): AsyncGenerator<IServerSentEvent> {
    this.connections.push(signal);
    this._isCut = false;
    signal.addEventListener('abort', () => this._wake());
    while (!signal.aborted && !this._isCut) {
      while (this._events.length) {
        yield this._events.shift()!;
      }
      await new Promise<void>(resolve => (this._wake = resolve));
    }
    if (signal.aborted) {
      throw new DOMException('aborted', 'AbortError');
    }
  }

  private _events: IServerSentEvent[] = [];
  private _number = 0;
  private _isCut = false;
  private _wake: () => void = () => undefined;
}

/** What was written has come, and a frame was drawn. */
async function settle(): Promise<void> {
  await jest.advanceTimersByTimeAsync(50);
}

let output: Output;
let view: LogView;
let lines: HTMLElement;

beforeEach(async () => {
  jest.useFakeTimers();
  output = new Output();
  view = new LogView('app', output.api, nullTranslator.load(''));
  lines = view.node.querySelector<HTMLElement>('[role=log]')!;
  // Each row is 10 pixels high, and ten of them can be seen.
  Object.defineProperty(lines, 'clientHeight', { value: 100 });
  Object.defineProperty(lines, 'scrollHeight', { get: () => Math.max(100, 10 * lines.childElementCount) });
  let top = 0;
  Object.defineProperty(lines, 'scrollTop', {
    get: () => top,
    set: (value: number) => (top = Math.max(0, Math.min(value, lines.scrollHeight - 100)))
  });
  Element.prototype.scrollIntoView = jest.fn();
  Widget.attach(view, document.body);
  await settle();
});

afterEach(() => {
  view.dispose();
  jest.useRealTimers();
});

const texts = (): string[] =>
  Array.from(lines.querySelectorAll('.jp-ServerProxy-log-line'), row => row.textContent ?? '');
const many = (count: number): Partial<ILine>[] => Array.from({ length: count }, () => ({}));

function scrollTo(top: number): void {
  lines.scrollTop = top;
  lines.dispatchEvent(new Event('scroll'));
}

function find(text: string): HTMLInputElement {
  const search = view.node.querySelector('input')!;
  search.value = text;
  search.dispatchEvent(new Event('input'));
  return search;
}

const press = (target: HTMLElement, key: string, more: KeyboardEventInit = {}): boolean =>
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
const count = (): string => view.node.querySelector('[role=status]')!.textContent ?? '';

describe('lines', () => {
  it('are text, whatever they contain', async () => {
    await output.write({ text: `<img src=x onerror=alert(1)> ${BOLD}<b>` });
    expect(texts()).toEqual(['<img src=x onerror=alert(1)> <b>']);
    expect(lines.querySelector('img, b')).toBeNull();
    expect(lines.querySelector('.jp-ServerProxy-bold')?.textContent).toBe('<b>');
  });

  it('begin with a heading for each start', async () => {
    await output.write({}, {}, { run: 2 });
    const kinds = Array.from(lines.children, row => row.className.replace('jp-ServerProxy-log-', ''));
    expect(kinds).toEqual(['run', 'line', 'line', 'run', 'line']);
    expect(lines.children[3].textContent).toMatch(/^start 2,/);
  });

  it('are shown once when a new connection tells them again', async () => {
    await output.write({}, {});
    await output.cut();
    await jest.advanceTimersByTimeAsync(1000);
    expect(output.connections).toHaveLength(2);
    await output.write({ number: 0 }, { number: 1 }, { number: 2 });
    expect(texts()).toEqual(['line 0', 'line 1', 'line 2']);
  });

  it('begin anew when Jupyter does', async () => {
    await output.write({}, {}, { number: 0, time: '2026-01-02T00:00:00Z', text: 'new' });
    expect(texts()).toEqual(['line 0', 'line 1', 'new']);
  });

  it('are as many as can be kept, with the headings of those alone', async () => {
    await output.write({ run: 1 }, ...many(5010).map(line => ({ ...line, run: 2 })));
    expect(texts()).toHaveLength(5000);
    expect(texts()[0]).toBe('line 11');
    expect(view.text.split('\n')).toHaveLength(5001);
    expect(lines.childElementCount).toBe(5000);
  });

  it('are forgotten, and not told again', async () => {
    await output.write({}, {});
    view.clear();
    await output.write({ number: 1 }, { number: 2 });
    expect(texts()).toEqual(['line 2']);
    expect(view.text).toBe('2026-01-01T00:00:00Z line 2\n');
  });
});

describe('scrolling', () => {
  beforeEach(() => output.write(...many(50)));

  const button = (): HTMLElement => view.node.querySelector<HTMLElement>('button')!;
  const follows = (): string | null => button().getAttribute('aria-pressed');
  const atEnd = (): boolean => lines.scrollTop === lines.scrollHeight - 100;

  it('goes on to new lines', async () => {
    expect(atEnd()).toBe(true);
    await output.write({}, {});
    expect(atEnd()).toBe(true);
    expect(follows()).toBe('true');
  });

  it('ends when somebody scrolls up, and begins again at the end', async () => {
    scrollTo(200);
    expect(follows()).toBe('false');
    await output.write({});
    expect(lines.scrollTop).toBe(200);
    scrollTo(300); // not yet the end
    expect(follows()).toBe('false');
    scrollTo(10000);
    expect(follows()).toBe('true');
    await output.write({});
    expect(atEnd()).toBe(true);
  });

  it('goes to the end when it is switched on', async () => {
    scrollTo(200);
    button().click();
    expect(follows()).toBe('true');
    await settle();
    expect(atEnd()).toBe(true);
  });

  it('stays off when the event of its own last step comes after the click', async () => {
    await output.write({});
    button().click();
    lines.dispatchEvent(new Event('scroll'));
    expect(follows()).toBe('false');
    const before = lines.scrollTop;
    await output.write({}, {});
    expect(lines.scrollTop).toBe(before);
  });

  it('leaves a match that was gone to where it is', async () => {
    press(find('line 3'), 'Enter');
    expect(follows()).toBe('false');
  });
});

describe('finding', () => {
  it('goes from match to match, forwards and backwards', async () => {
    await output.write({ text: 'Error one' }, { text: 'fine' }, { text: 'an ERROR two' });
    const search = find('error');
    expect(count()).toBe('2 lines');
    const current = (): string => lines.querySelector('.jp-mod-current')?.textContent ?? '';
    press(search, 'Enter');
    expect([current(), count()]).toEqual(['Error one', '1 of 2']);
    press(search, 'Enter');
    press(search, 'Enter');
    expect([current(), count()]).toEqual(['Error one', '1 of 2']);
    press(search, 'Enter', { shiftKey: true });
    expect([current(), count()]).toEqual(['an ERROR two', '2 of 2']);
    press(search, 'Escape');
    expect(lines.querySelector('.jp-mod-match, .jp-mod-current')).toBeNull();
    expect(count()).toBe('');
  });

  it('keeps its place while lines come', async () => {
    await output.write({ text: 'error' }, { text: 'error' });
    press(find('error'), 'Enter');
    await output.write({ text: 'error' }, { text: 'fine' });
    expect(count()).toBe('1 of 3');
  });

  it('loses the matches that are kept no more', async () => {
    await output.write({ text: 'needle' }, { text: 'needle' });
    press(find('needle'), 'Enter');
    await output.write(...many(4999));
    expect(count()).toBe('1 line');
  });

  it('is reached by Ctrl+F', () => {
    expect(press(lines, 'f', { ctrlKey: true })).toBe(false);
    expect(document.activeElement).toBe(view.node.querySelector('input'));
  });
});

describe('the connection', () => {
  it('ends when the view is hidden, and is made anew when it is shown', async () => {
    expect(output.connections).toHaveLength(1);
    view.hide();
    await settle();
    expect(output.connections[0].aborted).toBe(true);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(output.connections).toHaveLength(1);
    view.show();
    await settle();
    expect(output.connections).toHaveLength(2);
  });

  it('is tried again less and less often', async () => {
    const times: number[] = [];
    const follow = async function* (): AsyncGenerator<IServerSentEvent> {
      times.push(Date.now());
      throw new Error('no');
    };
    const other = new LogView('app', { follow } as unknown as Api, nullTranslator.load(''));
    Widget.attach(other, document.body);
    await jest.advanceTimersByTimeAsync(100_000);
    other.dispose();
    const pauses = times.slice(1).map((time, index) => Math.round((time - times[index]) / 1000));
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30]);
    await jest.advanceTimersByTimeAsync(100_000);
    expect(times).toHaveLength(8);
  });
});
