import { ServerConnection } from '@jupyterlab/services';

import { Api, ApiError, serverPath } from './api';

interface IAsked {
  method: string;
  url: string;
  authorization: string | null;
}

/** What is used of a Request of browsers; jsdom has none. */
class SentRequest {
  readonly fields = new Map<string, string>();
  readonly headers = {
    append: (name: string, value: string) => void this.fields.set(name.toLowerCase(), value),
    has: (name: string) => this.fields.has(name.toLowerCase()),
    set: (name: string, value: string) => void this.fields.set(name.toLowerCase(), value)
  };

  constructor(
    readonly url: string,
    readonly init: RequestInit
  ) {}
}

/** An Api whose requests are answered here. */
function connect(answer: (asked: IAsked) => { status?: number; body: unknown }): { api: Api; asked: IAsked[] } {
  const asked: IAsked[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/base/',
    token: 's3cret',
    Request: SentRequest as never,
    fetch: (async (request: SentRequest) => {
      const one = {
        method: request.init.method ?? '',
        url: request.url.replace(/[?&]\d{13,}$/, ''), // what keeps answers out of caches
        authorization: request.fields.get('authorization') ?? null
      };
      asked.push(one);
      const { status = 200, body } = answer(one);
      return { ok: status < 400, status, statusText: 'Status', json: async () => body };
    }) as never
  });
  return { api: new Api(settings), asked };
}

describe('serverPath', () => {
  it.each([
    ['app', 'servers/app'],
    ['desk/one', 'servers/desk/one'],
    ['a b%?#', 'servers/a%20b%25%3F%23']
  ])('%j', (name, path) => {
    expect(serverPath(name)).toBe(path);
  });
});

describe('Api', () => {
  it('asks below the base URL, with the token of Jupyter', async () => {
    const { api, asked } = connect(() => ({ body: { servers: [], lines: [], ports: [], server_processes: [] } }));
    await api.servers();
    await api.logs('desk/one', 5);
    await api.ports();
    await api.serversInfo();
    await api.act('desk/one', 'stop');
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET http://localhost/base/server-proxy/api/servers',
      'GET http://localhost/base/server-proxy/api/servers/desk/one/logs?tail=5',
      'GET http://localhost/base/server-proxy/api/ports',
      'GET http://localhost/base/server-proxy/servers-info',
      'POST http://localhost/base/server-proxy/api/servers/desk/one/stop'
    ]);
    expect(asked.map(({ authorization }) => authorization)).toEqual(Array(5).fill('token s3cret'));
  });

  it('tells what the server says is wrong', async () => {
    const { api } = connect(() => ({ status: 503, body: { message: "Server 'x' exited with status 3." } }));
    await expect(api.act('x', 'start')).rejects.toEqual(new ApiError(503, "Server 'x' exited with status 3."));
    const silent = connect(() => ({ status: 502, body: undefined }));
    await expect(silent.api.servers()).rejects.toThrow('502 Status');
  });

  it('makes links that can be copied', () => {
    const { api } = connect(() => ({ body: {} }));
    expect(api.absolute('/base/proxy/8000/')).toBe('http://localhost/base/proxy/8000/');
  });
});
