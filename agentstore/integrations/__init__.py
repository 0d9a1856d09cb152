"""What every web backend on a store would write again: for FastAPI, for Litestar, and for any other in the parts."""
