// The output of one server as it is written: followed while it can be seen, searched, downloaded.

import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { parseLine } from './ansi';
import { Api, ILine, IServer } from './api';

/** Lines that are kept. */
const MAX_LINES = 5000;

/** Milliseconds until a connection that ended is made anew: at first, and at most. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30000;

/** Pixels from the end that still are the end: zoomed pages have places between pixels. */
const AT_END = 3;

export class LogView extends Widget {
  constructor(
    readonly name: string,
    private readonly _api: Api,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-ServerProxy-log');
    this._search.type = 'search';
    this._search.className = 'jp-mod-styled';
    this._search.placeholder = _trans.__('Find');
    this._search.setAttribute('aria-label', _trans.__('Find in the output'));
    this._search.addEventListener('input', () => this.find());
    this._search.addEventListener('keydown', event => {
      if (event.key === 'Enter') {
        this.goToMatch(event.shiftKey ? -1 : 1);
      } else if (event.key === 'Escape') {
        this._search.value = '';
        this.find();
      }
    });
    this._count.className = 'jp-ServerProxy-log-count';
    this._count.setAttribute('role', 'status');
    this._follow.type = 'button';
    this._follow.className = 'jp-ServerProxy-log-follow';
    this._follow.textContent = _trans.__('Follow');
    this._follow.title = _trans.__('Scroll to new lines');
    this._follow.setAttribute('aria-pressed', 'true');
    this._follow.addEventListener('click', () => this.setScrolls(!this._scrolls));
    this._lines.className = 'jp-ServerProxy-log-lines jp-mod-scrolls';
    this._lines.tabIndex = 0;
    this._lines.setAttribute('role', 'log');
    this._lines.setAttribute('aria-live', 'off');
    this._lines.setAttribute('aria-label', _trans.__('Output of %1', name));
    this._lines.addEventListener('scroll', () => this.onScroll());
    const bar = document.createElement('div');
    bar.className = 'jp-ServerProxy-log-bar';
    bar.append(this._search, this._count, this._follow);
    this.node.append(bar, this._lines);
    this.node.addEventListener('keydown', event => {
      if (event.key === 'f' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        event.stopPropagation();
        this._search.focus();
      }
    });
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  dispose(): void {
    document.removeEventListener('visibilitychange', this._onVisibility);
    this.rest();
    if (this._frame !== null) {
      cancelAnimationFrame(this._frame);
    }
    super.dispose();
  }

  /** All lines that are kept, as text. */
  get text(): string {
    return this._kept.map(({ time, text }) => `${time} ${text}\n`).join('');
  }

  /** Forget what is shown; what comes later is shown again. */
  clear(): void {
    this._kept = [];
    this._lines.replaceChildren();
    this.find();
  }

  protected onAfterShow(msg: Message): void {
    this.follow();
    this.scrollToEnd();
  }

  protected onResize(msg: Widget.ResizeMessage): void {
    this.scrollToEnd();
  }

  protected onAfterAttach(msg: Message): void {
    this.follow();
  }

  protected onBeforeHide(msg: Message): void {
    this.rest();
  }

  // ---- following

  private follow(): void {
    if (this._following || this.isDisposed || !this.isVisible || document.hidden) {
      return;
    }
    const following = (this._following = new AbortController());
    void this.run(following.signal);
  }

  private rest(): void {
    this._following?.abort();
    this._following = null;
  }

  private async run(signal: AbortSignal): Promise<void> {
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      try {
        for await (const { event, data } of this._api.follow(this.name, 1000, signal)) {
          pause = FIRST_PAUSE;
          if (event === 'line') {
            this.add(JSON.parse(data) as ILine);
          } else if (event === 'state') {
            this.title.caption = `${this.name}: ${(JSON.parse(data) as IServer).state}`;
          }
        }
      } catch (reason) {
        if (!signal.aborted) {
          console.debug(`The output of ${this.name} cannot be followed`, reason);
        }
      }
      if (!signal.aborted) {
        await new Promise(resolve => setTimeout(resolve, pause));
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
    }
  }

  private add(line: ILine): void {
    const last = this._last;
    if (last && line.number <= last.number) {
      // Told again after a pause; lower numbers from the beginning mean that Jupyter was started anew.
      if (!(line.number === 0 && line.time > last.time)) {
        return;
      }
    }
    this._last = line;
    if (line.run !== last?.run) {
      this.append(this._trans.__('start %1, %2', line.run, new Date(line.time).toLocaleString()), 'run');
    }
    this._kept.push(line);
    const row = this.append('', 'line');
    row.title = new Date(line.time).toLocaleString();
    for (const { text, classes } of parseLine(line.text)) {
      const span = document.createElement('span');
      span.textContent = text;
      span.className = classes.map(name => `jp-ServerProxy-${name}`).join(' ');
      row.append(span);
    }
    if (this._kept.length > MAX_LINES) {
      this.dropFirst();
    }
    if (this.mark(row)) {
      this.showCount();
    }
    this.scrollToEnd();
  }

  /** The oldest line, with the heading of its start. */
  private dropFirst(): void {
    this._kept.shift();
    let row = this._lines.firstElementChild;
    while (row?.classList.contains('jp-ServerProxy-log-run')) {
      row.remove();
      row = this._lines.firstElementChild;
    }
    row?.remove();
    if (row && row === this._matches[0]) {
      this._matches.shift();
      this._match = Math.max(this._match - 1, -1);
      this.showCount();
    }
  }

  private append(text: string, kind: 'line' | 'run'): HTMLElement {
    const row = document.createElement('div');
    row.className = `jp-ServerProxy-log-${kind}`;
    row.textContent = text;
    this._lines.append(row);
    return row;
  }

  // ---- scrolling

  /** Whether new lines are scrolled to. */
  private setScrolls(wanted: boolean): void {
    this._scrolls = wanted;
    this._follow.setAttribute('aria-pressed', String(wanted));
    this._lines.classList.toggle('jp-mod-scrolls', wanted);
    this.scrollToEnd();
  }

  /** Once for all lines that come before the next frame: to know the height makes the browser lay out everything. */
  private scrollToEnd(): void {
    if (!this._scrolls || this._frame !== null) {
      return;
    }
    this._frame = requestAnimationFrame(() => {
      this._frame = null;
      if (this._scrolls) {
        this._lines.scrollTop = this._lines.scrollHeight;
        this._scrollTop = this._lines.scrollTop;
      }
    });
  }

  /** Who scrolls up wants to read, who scrolls to the end wants to see what is new. */
  private onScroll(): void {
    const { scrollHeight, scrollTop, clientHeight } = this._lines;
    const step = scrollTop - this._scrollTop; // 0 where scrollToEnd has scrolled
    this._scrollTop = scrollTop;
    const atEnd = scrollHeight - scrollTop - clientHeight < AT_END;
    if (step > 0 && atEnd) {
      this.setScrolls(true);
    } else if (step < 0 && !atEnd) {
      this.setScrolls(false);
    }
  }

  // ---- finding

  private find(): void {
    this._matches = [];
    this._match = -1;
    for (const row of Array.from(this._lines.children) as HTMLElement[]) {
      row.classList.remove('jp-mod-match', 'jp-mod-current');
      this.mark(row);
    }
    this.showCount();
  }

  /** If a row is one that is looked for; rows come from the first to the last. */
  private mark(row: HTMLElement): boolean {
    const wanted = this._search.value.toLowerCase();
    if (wanted === '' || !(row.textContent ?? '').toLowerCase().includes(wanted)) {
      return false;
    }
    row.classList.add('jp-mod-match');
    this._matches.push(row);
    return true;
  }

  private showCount(): void {
    const count = this._matches.length;
    if (this._match >= 0) {
      this._count.textContent = this._trans.__('%1 of %2', this._match + 1, count);
    } else {
      this._count.textContent = this._search.value ? this._trans._n('%1 line', '%1 lines', count) : '';
    }
  }

  private goToMatch(step: number): void {
    const count = this._matches.length;
    if (!count) {
      return;
    }
    this._matches[this._match]?.classList.remove('jp-mod-current');
    this._match = this._match < 0 && step < 0 ? count - 1 : (this._match + step + count) % count;
    const row = this._matches[this._match];
    row.classList.add('jp-mod-current');
    // Before the place is scrolled to, as new lines must not scroll away from it.
    this.setScrolls(false);
    row.scrollIntoView({ block: 'center' });
    this.showCount();
  }

  private readonly _search = document.createElement('input');
  private readonly _count = document.createElement('span');
  private readonly _follow = document.createElement('button');
  private readonly _lines = document.createElement('div');
  private readonly _onVisibility = (): void => (document.hidden ? this.rest() : this.follow());
  private _kept: ILine[] = [];
  private _last: ILine | null = null;
  private _scrolls = true;
  private _scrollTop = 0;
  private _frame: number | null = null;
  private _following: AbortController | null = null;
  private _matches: HTMLElement[] = [];
  private _match = -1;
}
