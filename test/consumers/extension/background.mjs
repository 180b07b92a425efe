/** The extension's service worker, which answers with the numbers, or with why there are none. */
import { createEngineSync } from "./node_modules/headwise/dist/standalone-sync.js";
import { attend, shown } from "./numbers.mjs";

function compute() {
  try {
    const engine = createEngineSync();
    const numbers = shown(attend(engine));
    engine.dispose();
    return numbers;
  } catch (error) {
    return String(error);
  }
}
chrome.runtime.onMessage.addListener((_message, _sender, answer) => answer(compute()));
