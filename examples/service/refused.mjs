/** The answer to a client that does not get a result. */
export class Refused extends Error {
  /** @param status  of HTTP @param headers  of the answer, in addition to its type */
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}
