"""What synthetic CTs and synthetic X-rays share: anatomy, vessels, lesions and where they lie."""
