/* services: the list of modules that this binary holds. */
#ifndef SF_SERVICES_SERVICES_H
#define SF_SERVICES_SERVICES_H

struct sf_service;
struct sf_identity;

extern const struct sf_service platform_service;     /* accounts, products, subscriptions, health */
extern const struct sf_service coocook_service;      /* chef bookings */
extern const struct sf_service *const sf_services[]; /* all, NULL-terminated */

#endif
