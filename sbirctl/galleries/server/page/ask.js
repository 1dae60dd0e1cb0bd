// Asking the server: one question at a time, the newest next, and answers to what nobody asks any
// more are dropped.

const QUIET = 90; // ms without a change before a question is sent
const LONGEST = 350; // ms after which one is sent even though the drawing still changes

export class Asker {
  #show;
  #fail;
  #busy;
  #timer = 0;
  #since = 0;
  #running = null;
  #wanted = null;

  /** show(answer) and fail(error) get what comes of a question, busy(yes) whether one is open. */
  constructor(show, fail, busy) {
    this.#show = show;
    this.#fail = fail;
    this.#busy = busy;
  }

  /** Ask soon, unless something else is asked by then. */
  soon(question) {
    this.#wanted = question;
    this.#busy(true);
    const now = performance.now();
    this.#since ||= now;
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(QUIET, this.#since + LONGEST - now));
    this.#timer = setTimeout(() => this.#send(), wait);
  }

  /** Ask at once; whatever was asked before is not shown any more. */
  now(question) {
    this.forget();
    this.#wanted = question;
    this.#busy(true);
    this.#send();
  }

  /** Nothing is asked any more. */
  forget() {
    clearTimeout(this.#timer);
    this.#timer = this.#since = 0;
    this.#wanted = null;
    this.#running?.abort();
    this.#running = null;
    this.#busy(false);
  }

  async #send() {
    this.#timer = 0;
    if (this.#running || !this.#wanted) return; // sent when the answer is there
    const question = this.#wanted;
    this.#wanted = null;
    this.#since = 0;
    const running = (this.#running = new AbortController());
    try {
      const answer = await question(running.signal);
      if (running === this.#running) this.#show(answer);
    } catch (error) {
      if (running === this.#running) this.#fail(error);
    } finally {
      if (running === this.#running) {
        this.#running = null;
        if (!this.#wanted) this.#busy(false);
        else if (!this.#timer) this.#send();
      }
    }
  }
}

/** A request of this server; throws an Error with the server's own words. */
export async function request(path, parameters = {}, options = {}) {
  let answer;
  try {
    answer = await fetch(`${path}?${query(parameters)}`, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is `sbirctl serve` still running?");
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Error([said.error ?? `The server answers ${answer.status}.`, said.hint].filter(Boolean).join(" "));
  }
  return answer;
}

/** Parameters of an address; of a list each value, of what is empty none. */
export function query(parameters) {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  return new URLSearchParams(pairs.filter(([, value]) => value !== "" && value != null));
}
