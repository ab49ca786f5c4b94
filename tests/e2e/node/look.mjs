// What a browser shows of a page, at three widths and in both themes, and what axe finds in it; then
// what becomes of the same page with a script in it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Chromium from "@sparticuz/chromium";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [address, spoilt] = process.argv.slice(2);
Chromium.setGraphicsMode = false;
const browser = await chromium.launch({
  executablePath: await Chromium.executablePath(),
  args: ["--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-background-networking"],
});
const looks = [];
for (const theme of ["light", "dark"]) {
  for (const width of [360, 800, 1400]) {
    const context = await browser.newContext({ colorScheme: theme, viewport: { width, height: 900 } });
    const page = await context.newPage();
    const look = { theme, width, complaints: [], requests: [] };
    page.on("console", (message) => look.complaints.push(message.text()));
    page.on("pageerror", (error) => look.complaints.push(String(error)));
    page.on("request", (request) => look.requests.push(request.url()));
    await page.goto(address);
    Object.assign(look, await page.evaluate(() => ({
      background: getComputedStyle(document.body).backgroundColor,
      beyond: document.documentElement.scrollWidth - innerWidth,
    })));
    await page.emulateMedia({ media: "print" });
    look.unprinted = await page.evaluate(async () => {
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      return [...document.querySelectorAll("td")].filter((cell) => !cell.checkVisibility()).length;
    });
    await page.emulateMedia({ media: "screen" });
    // axe is no part of the page: its policy would refuse it.
    const session = await context.newCDPSession(page);
    await session.send("Page.setBypassCSP", { enabled: true });
    await page.evaluate(axe);
    // The themes differ in colours alone.
    const rules = theme === "dark" ? { runOnly: ["color-contrast"] } : {};
    const found = await page.evaluate(async (rules) => {
      for (const one of document.querySelectorAll("details")) one.open = true;
      return await axe.run(document, rules);
    }, rules);
    const names = (some) => some.map((one) => `${one.id}: ${one.nodes[0].html}`);
    look.violations = names(found.violations);
    look.undecided = names(found.incomplete);
    look.passed = found.passes.map((one) => one.id);
    looks.push(look);
    await context.close();
  }
}
const context = await browser.newContext();
const page = await context.newPage();
const refused = [];
page.on("console", (message) => refused.push(message.text()));
await page.goto(spoilt);
const title = await page.title();
await browser.close();
console.log(JSON.stringify({ looks, spoilt: { title, refused } }));
