/** What a client is told when it doesn't get a result. */
export class Refused extends Error {
  /** @param status  of HTTP @param headers  of the answer, besides its type */
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}
