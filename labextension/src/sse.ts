// Server-sent events (WHATWG HTML 9.2) of a response that was fetched: EventSource cannot send Jupyter's token.

export interface IServerSentEvent {
  event: string;
  data: string;
}

/** Collects text that comes in any pieces, and gives the events that it completes. */
export class EventDecoder {
  feed(text: string): IServerSentEvent[] {
    this._rest += text;
    const events: IServerSentEvent[] = [];
    let end: number;
    while ((end = this._rest.indexOf('\n')) >= 0) {
      const line = this._rest.slice(0, end).replace(/\r$/, '');
      this._rest = this._rest.slice(end + 1);
      if (line === '') {
        if (this._data.length) {
          events.push({ event: this._event || 'message', data: this._data.join('\n') });
        }
        this._event = '';
        this._data = [];
      } else if (!line.startsWith(':')) {
        this.takeField(line);
      }
    }
    return events;
  }

  private takeField(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') {
      this._event = value;
    } else if (name === 'data') {
      this._data.push(value);
    }
  }

  private _rest = '';
  private _event = '';
  private _data: string[] = [];
}

/** The events of a body, until it ends. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<IServerSentEvent> {
  const decoder = new EventDecoder();
  const reader = body.getReader();
  const text = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      yield* decoder.feed(text.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
