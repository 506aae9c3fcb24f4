// Of the waiting page and the failure page: follow a server that starts, enter it once it is ready, stop and start it.
"use strict";
(() => {
  const main = document.querySelector("main");
  const api = main.dataset.api;
  const title = main.dataset.title;
  const byId = (id) => document.getElementById(id);

  // ---- what the page says

  // The status is a live region: it is only touched when its text is another one.
  const say = (text) => {
    if (byId("status").textContent !== text) byId("status").textContent = text;
  };

  const words = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    const rest = Math.floor(seconds % 60);
    return minutes ? (rest ? `${minutes} min ${rest} s` : `${minutes} min`) : `${rest} s`;
  };

  // ---- requests

  const answerOf = async (response) => {
    const content = await response.json().catch(() => ({}));
    if (response.ok) return content;
    const error = new Error(content.message || `Jupyter answered ${response.status}.`);
    error.status = response.status;
    throw error;
  };

  const token = () => (document.cookie.match(/(?:^|;\s*)_xsrf=([^;]*)/) || [])[1];

  // Jupyter wants the token with each POST, JupyterHub with each request of a script.
  const request = (path, options = {}) =>
    fetch(api + path, { ...options, cache: "no-store", headers: token() ? { "X-XSRFToken": token() } : {} });

  const get = async (path) => answerOf(await request(path));

  const post = async (action) => {
    if (!token()) await get(""); // sets the cookie
    return answerOf(await request(`/${action}`, { method: "POST" }));
  };

  // ---- reloads: whatever goes wrong, no page may reload itself for ever

  const RELOADS = 3;
  const WITHIN = 60000;
  const SLOWLY = 5000;
  const key = `jupyter-server-proxy ${location.pathname}`;
  let leaving = false;

  const forgetReloads = () => {
    try {
      sessionStorage.removeItem(key);
    } catch {
      // There is no storage in this frame.
    }
  };

  const reload = () => {
    if (leaving) return;
    leaving = true;
    disconnect();
    try {
      const times = JSON.parse(sessionStorage.getItem(key) || "[]").filter((time) => Date.now() - time < WITHIN);
      if (times.length >= RELOADS) {
        say(`This page has reloaded itself ${RELOADS} times, and ${title} was not there.`);
        offer("Open it");
        return;
      }
      sessionStorage.setItem(key, JSON.stringify([...times, Date.now()]));
    } catch {
      setTimeout(() => location.reload(), SLOWLY); // nothing can be counted without storage
      return;
    }
    location.reload();
  };

  // ---- the output

  const KEPT = 1000;
  const output = byId("output");
  const rows = byId("lines");
  let waiting = []; // lines that are not yet shown
  let afresh = true; // the lines come again from the beginning: those that are shown go
  let since = null; // when the server entered its state

  const draw = () => {
    const follows = output.scrollHeight - output.scrollTop - output.clientHeight < 24;
    if (afresh) rows.replaceChildren();
    afresh = false;
    for (const line of waiting) {
      const row = document.createElement("div");
      row.innerHTML = line.html; // escaped by the server, and the policy of this page lets no script in
      row.dataset.time = line.time;
      rows.append(row);
    }
    waiting = [];
    while (rows.childElementCount > KEPT) rows.firstElementChild.remove();
    if (follows) output.scrollTop = output.scrollHeight;
  };

  const show = (line) => {
    if (!waiting.length) setTimeout(draw, 50); // many lines at once are drawn at once
    waiting.push(line);
    if (waiting.length > KEPT) waiting.shift();
  };

  // Lines that were written before this start belong to earlier ones. Both times are of Jupyter's clock.
  const forgetLinesBefore = (time) => {
    const old = (line) => Date.parse(line) < Date.parse(time);
    waiting = waiting.filter((line) => !old(line.time));
    for (const row of [...rows.children]) if (old(row.dataset.time)) row.remove();
  };

  // ---- the state

  let begun = performance.now() - 1000 * Number(main.dataset.elapsed || 0);
  let ended = false;
  const heading = document.querySelector("h1");
  const starting = heading.textContent;

  const offer = (text) => {
    end(true);
    heading.textContent = document.title = title;
    byId("again").textContent = text;
    byId("again").hidden = false;
  };

  const end = (yes) => {
    ended = yes;
    main.classList.toggle("ended", yes);
    byId("time").hidden = yes;
    byId("again").hidden = true;
    if (byId("cancel")) byId("cancel").hidden = yes;
  };

  const showStage = (stage) => {
    const steps = [...byId("steps").children];
    const reached = steps.findIndex((step) => step.dataset.stage === stage) + 1;
    steps.forEach((step, number) => {
      step.className = number < reached ? "done" : number === reached ? "current" : "ahead";
      step.lastElementChild.textContent = { done: " (done)", current: " (in progress)", ahead: "" }[step.className];
      if (number === reached) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    say(reached < steps.length ? steps[reached].dataset.doing : "It answers.");
  };

  const apply = (server) => {
    if (leaving) return;
    if (server.state === "ready" || server.state === "failed") {
      if (server.state === "ready") showStage("answer");
      reload();
    } else if (server.state === "stopped") {
      say(`${title} is stopped.`);
      offer("Start");
    } else if (server.state === "stopping") {
      say("Stopping.");
    } else {
      if (ended || (since !== null && since !== server.since)) {
        begun = performance.now();
        end(false);
        heading.textContent = starting;
        document.title = `${starting}…`;
        if (byId("cancel")) byId("cancel").disabled = false;
      }
      if (since !== server.since) forgetLinesBefore(server.since);
      showStage(server.stage);
    }
    since = server.since;
  };

  const tick = () => {
    if (ended) return;
    const seconds = (performance.now() - begun) / 1000;
    byId("elapsed").textContent = words(seconds);
    const progress = byId("progress");
    if (progress) progress.value = Math.min(0.97, seconds / Number(main.dataset.expected));
  };

  // ---- where the news comes from: a stream, or questions where there is none

  const OFTEN = 2000;
  const HIDDEN = 10000; // a page that nobody sees asks rarely, and holds no connection
  const SILENCE = 4000;
  const AGAIN = 5000;
  let stream = new AbortController();
  let timer = null;
  let connection = 0; // a question of an earlier one has no consequences

  const disconnect = () => {
    connection += 1;
    clearTimeout(timer);
    timer = null;
    stream.abort();
  };

  const ask = (delay) => {
    const current = connection;
    timer = setTimeout(async () => {
      try {
        const server = await get("");
        const { lines } = document.hidden ? { lines: [] } : await get("/logs?html=1&tail=100");
        if (current !== connection || timer === null) return;
        afresh = true;
        lines.forEach(show);
        apply(server);
      } catch (error) {
        if (current !== connection || timer === null) return;
        if (error.status >= 400 && error.status < 500) {
          say(`${error.message} This page reloads every ${SLOWLY / 1000} seconds.`);
          setTimeout(() => location.reload(), document.hidden ? HIDDEN : SLOWLY);
          return;
        }
        say("Jupyter does not answer. Trying again.");
      }
      if (!leaving && current === connection) ask(document.hidden ? HIDDEN : OFTEN);
    }, delay);
  };

  const stopAsking = () => {
    clearTimeout(timer);
    timer = null;
  };

  // By fetch: an EventSource could not send the token.
  const follow = async (signal) => {
    const response = await request("/logs?follow=1&html=1&tail=100", { signal });
    if (!response.ok) return;
    afresh = true; // the lines come from the beginning
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const [, name, data] = event.match(/^event: (\w+)\ndata: (.*)$/) || [];
        const take = { line: show, state: apply }[name];
        if (!take) continue;
        stopAsking();
        take(JSON.parse(data));
      }
    }
  };

  const connect = async () => {
    disconnect();
    if (leaving || apart) return;
    if (document.hidden) {
      ask(HIDDEN);
      return;
    }
    const current = connection;
    stream = new AbortController();
    ask(SILENCE); // some proxies hold streams back
    while (current === connection) {
      await follow(stream.signal).catch(() => {}); // what has gone wrong is found out by asking
      if (current !== connection) return;
      if (timer === null) ask(0);
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  };

  // ---- the pages

  // In a sandbox without an origin of its own nothing can be asked: all goes as it does without this script.
  const apart = self.origin === "null";

  const waitingPage = () => {
    setInterval(tick, 1000);
    if (apart) {
      setTimeout(() => location.reload(), SLOWLY);
      return;
    }
    const cancel = byId("cancel");
    if (cancel) {
      cancel.hidden = false;
      cancel.addEventListener("click", async () => {
        cancel.disabled = true;
        say("Stopping.");
        try {
          apply(await post("stop"));
          if (ended) byId("again").focus();
        } catch (error) {
          cancel.disabled = false;
          say(`It could not be stopped: ${error.message}`);
        }
      });
    }
    byId("again").addEventListener("click", forgetReloads);
    document.addEventListener("visibilitychange", connect);
    addEventListener("pagehide", disconnect);
    addEventListener("pageshow", (event) => {
      if (event.persisted) connect();
    });
    connect();
  };

  const failurePage = () => {
    const retry = byId("retry");
    const time = byId("failed-at");
    if (time) time.textContent = new Date(time.dateTime).toLocaleString();
    if (apart) return;
    if (byId("pause")) byId("pause").hidden = true; // this button does not wait
    retry.addEventListener("click", async (event) => {
      event.preventDefault();
      if (retry.getAttribute("aria-disabled")) return;
      retry.setAttribute("aria-disabled", "true");
      say("Starting.");
      forgetReloads();
      try {
        await post("start");
        location.reload();
      } catch (error) {
        retry.removeAttribute("aria-disabled");
        if (error.status === 503) location.reload();
        else say(`It could not be started: ${error.message}`);
      }
    });
  };

  if (output) output.scrollTop = output.scrollHeight;
  if (main.id === "waiting") waitingPage();
  else failurePage();
})();
