export default { clearScreen: false };
